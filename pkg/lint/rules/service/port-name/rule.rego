package service.port_name

known := {"http", "http2", "grpc", "grpc-web", "https", "tls", "tcp", "mongo", "mysql", "redis", "udp", "http_proxy", "hbone"}

told(name) if lower(name) in known

told(name) if lower(split(name, "-")[0]) in known

told(name) if startswith(lower(name), "grpc-web-")

# The control plane's own Services are not the user's to name, and ExternalName Services have a rule of their own.
exempt if input.metadata.labels.istio == "pilot"

exempt if input.metadata.labels["gateway.istio.io/managed"]

exempt if input.spec.type == "ExternalName"

exempt if input.namespace == mesh.settings().rootNamespace

exempt if input.namespace in {"kube-system", "kube-public", "kube-node-lease"}

findings contains {
	"path": path(i, port),
	"message": sprintf("%s does not tell the protocol of port %v: proxies will guess it", [called(port), port.port]),
	"fix": {"description": "begin the name with the protocol, as in http-web, or set appProtocol"},
} if {
	not exempt
	some i, port in input.spec.ports
	not port.appProtocol
	object.get(port, "protocol", "TCP") == "TCP"
	not told(object.get(port, "name", ""))
	not port.port in {3306, 53, 25, 587, 1433}
}

path(i, port) := sprintf("spec.ports[%d].name", [i]) if port.name

path(i, port) := sprintf("spec.ports[%d]", [i]) if not port.name

called(port) := sprintf("the name %q", [port.name]) if port.name

called(port) := "the missing name" if not port.name
