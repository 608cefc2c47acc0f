package virtualservice.lone_weight

findings contains {
	"path": sprintf("spec.%s[%d].route[0].weight", [kind, i]),
	"message": sprintf("the only destination gets all requests: its weight %d has no effect", [w]),
} if {
	some kind in ["http", "tcp", "tls"]
	some i, route in input.spec[kind]
	count(route.route) == 1
	w := route.route[0].weight
	w < 100
}
