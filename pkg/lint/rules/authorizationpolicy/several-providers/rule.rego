package authorizationpolicy.several_providers

findings contains {
	"path": "spec.provider.name",
	"message": sprintf("a workload of this policy is to ask %s too: with several providers none is asked, and whatever the rules match is denied", [rival.spec.provider.name]),
	"related": [{"id": rival.id, "path": "spec.provider.name", "message": "the other provider"}],
} if {
	some rival in mesh.custom_authorization(input.id).rivals
}
