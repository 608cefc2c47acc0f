package webhook.unknown_service

exists(ref) if {
	some s in mesh.resources_in("Service", ref.namespace)
	s.name == ref.name
}

# Webhooks of one configuration mostly call the same Service: said once, at the first.
first[key] := min({i |
	some i, w in input.webhooks
	sprintf("%s/%s", [w.clientConfig.service.namespace, w.clientConfig.service.name]) == key
}) if {
	some webhook in input.webhooks
	endswith(webhook.name, "sidecar-injector.istio.io")
	key := sprintf("%s/%s", [webhook.clientConfig.service.namespace, webhook.clientConfig.service.name])
}

findings contains {
	"path": sprintf("webhooks[%d].clientConfig.service.name", [i]),
	"message": sprintf("%s calls the Service %s, which does not exist", [webhook.name, key]),
	"missing": {"kind": "Service", "namespace": ref.namespace, "name": ref.name},
} if {
	some key, i in first
	webhook := input.webhooks[i]
	ref := webhook.clientConfig.service
	not exists(ref)
}
