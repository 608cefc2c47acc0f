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

// PortProtocol tells a Kubernetes Service port's protocol: by its transport, then by appProtocol, else by the port name's first part, and by
// number for the few server-first protocols that proxies must not wait on
// (https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/#explicit-protocol-selection).
func PortProtocol(number int32, name, transport string, appProtocol *string) Protocol {
	if transport == "UDP" {
		return UDP
	}
	if appProtocol != nil {
		name = *appProtocol
		switch name {
		case "kubernetes.io/h2c":
			return HTTP2
		case "kubernetes.io/ws":
			return HTTP
		case "kubernetes.io/wss":
			return HTTPS
		}
	}
	const grpcWeb = "grpc-web"
	if len(name) >= len(grpcWeb) && strings.EqualFold(name[:len(grpcWeb)], grpcWeb) {
		return GRPCWeb
	}
	name, _, _ = strings.Cut(name, "-")
	p := ParseProtocol(name)
	if p == Unsupported {
		switch number {
		case 25, 53, 3306, 27017: // SMTP, DNS, MySQL, MongoDB
			return TCP
		}
	}
	return p
}
