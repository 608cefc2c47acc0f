package requestauthentication.empty_jwks

findings contains {
	"path": sprintf("spec.jwtRules[%d].jwks", [i]),
	"message": "the key set holds no key: Envoy refuses the listener that is to use it",
} if {
	some i, rule in input.spec.jwtRules
	json.is_valid(rule.jwks)
	set := json.unmarshal(rule.jwks)
	is_object(set)
	object.get(set, "keys", []) == []
}
