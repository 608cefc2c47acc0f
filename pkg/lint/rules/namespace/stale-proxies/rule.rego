package namespace.stale_proxies

labels := object.get(input, ["metadata", "labels"], {})

revision := labels["istio.io/rev"] if not labels["istio-injection"]

revision := "default" if labels["istio-injection"] == "enabled"

revision := "default" if {
	mesh.settings().injectByDefault
	not labels["istio-injection"]
	not labels["istio.io/rev"]
	not labels["istio.io/dataplane-mode"]
}

config_map := "istio-sidecar-injector" if revision == "default"

config_map := sprintf("istio-sidecar-injector-%s", [revision]) if revision != "default"

image(global) := global.proxy.image if contains(global.proxy.image, "/")

image(global) := sprintf("%s/%s:%v", [global.hub, global.proxy.image, global.tag]) if not contains(global.proxy.image, "/")

injected := image(json.unmarshal(c.data.values).global) if {
	some c in mesh.resources_in("ConfigMap", mesh.settings().rootNamespace)
	c.name == config_map
	json.is_valid(c.data.values)
}

plain(name) := regex.replace(name, `-(distroless|debug|default)$`, "")

stale contains pod.name if {
	some pod in mesh.resources_in("Pod", input.name)
	not pod.metadata.annotations["sidecar.istio.io/proxyImage"]
	some list in ["containers", "initContainers"]
	some c in pod.spec[list]
	c.name == "istio-proxy"
	c.image != "auto"
	plain(c.image) != plain(injected)
}

findings contains {
	"path": "metadata.name",
	"message": sprintf("pods run another proxy than the injector's %s: %s", [injected, concat(", ", sort(stale))]),
} if {
	count(stale) > 0
}
