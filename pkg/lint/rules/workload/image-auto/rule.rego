package workload.image_auto

template := ["spec.", input] if input.type == "Pod"

template := ["spec.template.spec.", input.spec.template] if input.type == "Deployment"

automatic contains sprintf("%s%s[%d].image", [template[0], list, i]) if {
	some list in ["containers", "initContainers"]
	some i, c in template[1].spec[list]
	c.image == "auto"
}

namespace_labels := labels if {
	some n in mesh.resources("Namespace")
	n.name == input.namespace
	labels := object.get(n.metadata, "labels", {})
} else := {}

pod_labels := object.get(template[1], ["metadata", "labels"], {})

injectors contains [object.get(webhook, "namespaceSelector", {}), object.get(webhook, "objectSelector", {})] if {
	some config in mesh.resources("MutatingWebhookConfiguration")
	some webhook in config.webhooks
	endswith(webhook.name, "sidecar-injector.istio.io")
}

matches(selector, labels) if {
	every k, v in object.get(selector, "matchLabels", {}) {
		labels[k] == v
	}
	every e in object.get(selector, "matchExpressions", []) {
		holds(e, labels)
	}
}

holds(e, labels) if {
	e.operator == "In"
	labels[e.key] in e.values
}

holds(e, labels) if {
	e.operator == "NotIn"
	not object.get(labels, e.key, null) in e.values
}

holds(e, labels) if {
	e.operator == "Exists"
	labels[e.key]
}

holds(e, labels) if {
	e.operator == "DoesNotExist"
	object.get(labels, e.key, null) == null
}

injected if {
	some [namespaces, objects] in injectors
	matches(namespaces, namespace_labels)
	matches(objects, pod_labels)
}

injected if {
	count(injectors) == 0
	some w in mesh.workloads(input.namespace, pod_labels)
	w.name == input.name
	w.injected
}

# Without webhooks the pod's own word is enough.
injected if {
	count(injectors) == 0
	pod_labels["sidecar.istio.io/inject"] == "true"
}

injected if {
	count(injectors) == 0
	pod_labels["istio.io/rev"]
}

codes := {"Pod": ["IST0147"], "Deployment": ["IST0146"]}

findings contains {
	"path": min(automatic),
	"message": "the image is left to injection, but no injection webhook selects the pod",
	"aliases": codes[input.type],
} if {
	count(automatic) > 0
	not injected
}
