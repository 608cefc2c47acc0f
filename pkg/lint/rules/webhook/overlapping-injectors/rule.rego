package webhook.overlapping_injectors

injectors contains [config, webhook] if {
	some config in mesh.resources("MutatingWebhookConfiguration")
	some webhook in config.webhooks
	injects(webhook)
}

injects(webhook) if endswith(webhook.name, "sidecar-injector.istio.io")

# Requirements in one form: [key, operator, values].
requirements(selector) := labels | expressions if {
	labels := {[k, "In", {v}] | some k, v in selector.matchLabels}
	expressions := {[e.key, e.operator, values] |
		some e in selector.matchExpressions
		values := {v | some v in e.values}
	}
}

holds("In", values, value) if value in values

holds("NotIn", values, value) if not value in values

holds("Exists", _, value) if value != null

holds("DoesNotExist", _, value) if value == null

# Can one value of the key, or its absence, be all that the requirements ask?
satisfiable(key, all) if {
	candidates := {v | some r in all; some v in r[2]} | {null, "any other value"}
	some value in candidates
	every r in all {
		satisfied(r, key, value)
	}
}

satisfied(r, key, _) if r[0] != key

satisfied(r, key, value) if {
	r[0] == key
	holds(r[1], r[2], value)
}

compatible(a, b) if {
	all := requirements(a) | requirements(b)
	every r in all {
		satisfiable(r[0], all)
	}
}

overlap(a, b) if {
	compatible(object.get(a, "namespaceSelector", {}), object.get(b, "namespaceSelector", {}))
	compatible(object.get(a, "objectSelector", {}), object.get(b, "objectSelector", {}))
}

findings contains {
	"path": sprintf("webhooks[%d].name", [i]),
	"message": sprintf("%s selects pods that others select too: %s; they may be injected twice", [webhook.name, concat(", ", sort(others))]),
} if {
	some i, webhook in input.webhooks
	injects(webhook)
	others := {sprintf("%s/%s", [config.name, other.name]) |
		some [config, other] in injectors
		[config.id, other.name] != [input.id, webhook.name]
		overlap(webhook, other)
	}
	count(others) > 0
}
