package virtualservice.weights_not_100

findings contains {
	"path": sprintf("spec.%s[%d].route", [kind, i]),
	"message": sprintf("the weights %s add up to %d: they amount to %s", [concat(" + ", [format_int(w, 10) | some w in weights]), total, concat(" / ", shares)]),
} if {
	some kind in ["http", "tcp", "tls"]
	some i, route in input.spec[kind]
	count(route.route) > 1
	weights := [object.get(r, "weight", 0) | some r in route.route]
	every w in weights { w >= 0 }
	total := sum(weights)
	total > 0
	total != 100
	shares := [sprintf("%d %%", [round((w * 100) / total)]) | some w in weights]
}
