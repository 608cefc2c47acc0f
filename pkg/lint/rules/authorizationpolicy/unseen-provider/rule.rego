package authorizationpolicy.unseen_provider

blind := mesh.custom_authorization(input.id).blind

others := "" if count(blind) == 1

others := sprintf(" and %d more", [count(blind) - 1]) if count(blind) > 1

findings contains {
	"path": "spec.provider.name",
	"message": sprintf("%s%s cannot see %s, which provider %s is asked at (egress hosts of a Sidecar, exportTo, or no such port): the questions fail", [
		blind[0], others, mesh.custom_authorization(input.id).service, input.spec.provider.name,
	]),
} if {
	count(blind) > 0
}
