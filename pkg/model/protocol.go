package model

import "strings"

// ParseProtocol reads a protocol as Gateway, Sidecar and ServiceEntry ports, appProtocol and port names write it, in any case; Unsupported
// for what Istio does not know. (https://istio.io/latest/docs/reference/config/networking/gateway/#Port)
func ParseProtocol(name string) Protocol {
	switch strings.ToLower(name) {
	case "http", "http_proxy":
		return HTTP
	case "http2":
		return HTTP2
	case "grpc":
		return GRPC
	case "grpc-web":
		return GRPCWeb
	case "https":
		return HTTPS
	case "tls":
		return TLS
	case "tcp":
		return TCP
	case "udp":
		return UDP
	case "mongo":
		return Mongo
	case "mysql":
		return MySQL
	case "redis":
		return Redis
	case "hbone":
		return HBONE
	default:
		return Unsupported
	}
}
