package authorizationpolicy.unusable_provider

custom := mesh.custom_authorization(input.id)

said := sprintf("provider %s cannot be asked, so whatever the rules match is denied: %s", [input.spec.provider.name, custom.problem])

findings contains {"path": "spec.provider.name", "message": said} if {
	custom.problem != ""
	not custom.serviceMissing
}

findings contains {"path": "spec.provider.name", "message": said, "missing": {"host": custom.service}} if {
	custom.problem != ""
	custom.serviceMissing
}
