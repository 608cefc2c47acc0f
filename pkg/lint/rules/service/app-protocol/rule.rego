package service.app_protocol

known := {"http", "http2", "grpc", "grpc-web", "https", "tls", "tcp", "mongo", "mysql", "redis", "udp", "http_proxy", "hbone", "kubernetes.io/h2c", "kubernetes.io/ws", "kubernetes.io/wss"}

findings contains {
	"path": sprintf("spec.ports[%d].appProtocol", [i]),
	"message": sprintf("%q is no protocol that Istio knows: proxies will guess", [port.appProtocol]),
} if {
	some i, port in input.spec.ports
	not lower(port.appProtocol) in known
}
