package status.negative_condition

types := {"Accepted", "Programmed", "ResolvedRefs", "ZtunnelAccepted", "WaypointAccepted", "istio.io/WaypointBound"}

conditions contains [sprintf("status.conditions[%d]", [i]), c] if some i, c in input.status.conditions

conditions contains [sprintf("status.parents[%d].conditions[%d]", [i, j]), c] if {
	some i, parent in input.status.parents
	some j, c in parent.conditions
}

negative(c) if c.status == "False"

negative(c) if c.reason == "PartiallyInvalid"

findings contains {
	"path": path,
	"message": sprintf("%s is %s (%s): %s", [c.type, c.status, object.get(c, "reason", "no reason"), object.get(c, "message", "")]),
} if {
	some [path, c] in conditions
	c.type in types
	negative(c)
}
