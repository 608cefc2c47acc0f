package authorizationpolicy.unknown_method

methods := {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"}

findings contains object.union({
	"path": sprintf("spec.rules[%d].to[%d].operation.%s[%d]", [i, j, field, k]),
	"message": sprintf("%q is no HTTP method: the rule never matches it", [m]),
}, fix(m)) if {
	some i, rule in input.spec.rules
	some j, to in rule.to
	some field in ["methods", "notMethods"]
	some k, m in to.operation[field]
	not m in methods
	not contains(m, "*")
	not startswith(m, "/")
}

default fix(_) := {}

fix(m) := {"fix": {"description": "write it in capitals", "replace": upper(m)}} if upper(m) in methods
