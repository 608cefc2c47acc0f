package service.external_name_port

known := {"http", "http2", "grpc", "grpc-web", "https", "tls", "mongo", "mysql", "redis", "udp"}

told(name) if lower(name) in known

told(name) if lower(split(name, "-")[0]) in known

findings contains {
	"path": sprintf("spec.ports[%d].name", [i]),
	"message": sprintf("port %v of an ExternalName Service would take all TCP traffic to that number: name its protocol", [port.port]),
} if {
	input.spec.type == "ExternalName"
	some i, port in input.spec.ports
	not port.appProtocol
	not told(object.get(port, "name", ""))
}
