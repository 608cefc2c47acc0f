package meshgen

import (
	"fmt"
	"slices"
)

const ingressNamespace = "istio-ingress"

func (g *generator) namespaces() {
	for i := range g.count(g.size.Namespaces) {
		name := append([]string{"shop", "bookinfo", "payments", "platform", "data"}, fmt.Sprintf("team-%d", i))[min(i, 5)]
		g.names = append(g.names, name)
		labels := object{"kubernetes.io/metadata.name": name}
		if i == 0 || g.chance(0.85) {
			labels["istio-injection"] = "enabled"
		}
		g.add("v1", "Namespace", "", name, object{"metadata": object{"labels": labels}})
	}
	g.add("v1", "Namespace", "", ingressNamespace, object{})
}

// portKinds are ports as services declare them. Numbers repeat with other protocols, since such services share listeners.
var portKinds = []port{
	{80, "http", "HTTP"}, {8080, "http-web", "HTTP"}, {9080, "http", "HTTP"}, {7070, "grpc", "GRPC"}, {8081, "grpc-web", "GRPC-Web"}, {8082, "http2-api", "HTTP2"},
	{443, "https", "HTTPS"}, {8443, "tls-db", "TLS"}, {9000, "tcp", "TCP"}, {80, "tcp-legacy", "TCP"}, {8080, "tcp-other", "TCP"}, {27017, "mongo", "Mongo"},
	{3306, "mysql", "MySQL"}, {6379, "redis", "Redis"}, {53, "dns", "UDP"}, {8000, "web", ""}, {9000, "metrics", ""}, {5000, "app", "appProtocol"}, {443, "http-odd", "HTTP"},
}

func (g *generator) ports(limit int) []port {
	var out []port
	for _, p := range some(g, limit, portKinds...) {
		if !slices.ContainsFunc(out, func(o port) bool { return o.number == p.number || o.name == p.name }) {
			out = append(out, p)
		}
	}
	return out
}

var serviceNames = []string{
	"productpage", "reviews", "ratings", "details", "cart", "checkout", "payment", "shipping", "currency", "catalog", "frontend", "inventory", "orders", "users",
}

func (g *generator) services() {
	for i := range g.count(g.size.Services) {
		name := serviceNames[i%len(serviceNames)]
		if i >= len(serviceNames) {
			name = fmt.Sprintf("%s-%d", name, i)
		}
		namespace := g.names[i%len(g.names)]
		g.service(namespace, name)
		if g.chance(0.15) {
			g.service(one(g, g.names...), name)
		}
	}
}

// service draws a service and the workloads behind it.
func (g *generator) service(namespace, name string) {
	s := service{namespace: namespace, name: name, host: name + "." + namespace + ".svc.cluster.local", ports: g.ports(4)}
	s.versions = []string{"v1", "v2", "v3"}[:g.between(1, 3)]
	kind := g.rand.IntN(10)
	if kind == 0 {
		g.externalName(s)
		return
	}
	headless := kind <= 2
	spec := object{"selector": object{"app": name}, "ports": g.servicePorts(s.ports)}
	if headless {
		spec["clusterIP"] = "None"
	} else if g.chance(0.5) {
		spec["clusterIP"] = fmt.Sprintf("10.96.%d.%d", len(g.in)/250, len(g.in)%250+1)
	}
	metadata := object{"labels": object{"app": name}}
	if g.chance(0.1) {
		metadata["annotations"] = object{"networking.istio.io/exportTo": one(g, ".", "*", g.names[0])}
	}
	g.add("v1", "Service", namespace, name, object{"metadata": metadata, "spec": spec})
	g.in = append(g.in, s)
	if headless {
		g.workload("StatefulSet", s, "v1")
		return
	}
	for _, version := range s.versions {
		g.workload("Deployment", s, version)
	}
}

func (g *generator) externalName(s service) {
	spec := object{"type": "ExternalName", "externalName": one(g, "api.example.com", "db.example.org")}
	if g.chance(0.8) {
		spec["ports"] = g.servicePorts(s.ports)
	} else {
		s.ports = nil
	}
	g.add("v1", "Service", s.namespace, s.name, object{"spec": spec})
	s.versions = nil
	g.in = append(g.in, s)
}

func (g *generator) servicePorts(ports []port) []any {
	var out []any
	for _, p := range ports {
		o := object{"name": p.name, "port": p.number}
		switch p.protocol {
		case "UDP":
			o["protocol"] = "UDP"
		case "appProtocol":
			o["appProtocol"] = one(g, "http", "https", "tcp", "kubernetes.io/h2c", "grpc")
		}
		if g.chance(0.5) {
			o["targetPort"] = one[any](g, 8080, 9080, 8443, p.number, "web")
		}
		out = append(out, o)
	}
	return out
}

// workload draws a Deployment or StatefulSet of one version of a service.
func (g *generator) workload(kind string, s service, version string) {
	labels := object{"app": s.name, "version": version}
	annotations := g.set(object{},
		optional{"traffic.sidecar.istio.io/excludeOutboundPorts", 0.05, value("9999")},
		optional{"proxy.istio.io/config", 0.05, value("concurrency: 2\ntracing:\n  sampling: 10\n")},
	)
	if g.chance(0.08) {
		labels["sidecar.istio.io/inject"] = "false"
	}
	template := object{
		"metadata": object{"labels": labels, "annotations": annotations},
		"spec": object{
			"serviceAccountName": s.name,
			"containers":         []any{object{"name": "app", "image": "example.com/" + s.name + ":" + version, "ports": []any{object{"name": "web", "containerPort": 8080}}}},
		},
	}
	spec := object{"replicas": g.between(1, 3), "selector": object{"matchLabels": object{"app": s.name, "version": version}}, "template": template}
	name := s.name + "-" + version
	if kind == "StatefulSet" {
		name, spec["serviceName"] = s.name, s.name
	}
	g.add("apps/v1", kind, s.namespace, name, object{"spec": spec})
}

func (g *generator) serviceEntries() {
	for i := range g.count(g.size.ServiceEntries) {
		g.serviceEntry(fmt.Sprintf("external-%d", i))
	}
}

func (g *generator) serviceEntry(name string) {
	namespace := one(g, g.names...)
	s := service{namespace: namespace, name: name, external: true}
	resolution := one(g, "NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS")
	s.wildcard = resolution == "DYNAMIC_DNS" || resolution == "NONE" && g.chance(0.4)
	s.host = one(g, "api.example.com", "db.example.org", "www.googleapis.com", "billing.partner.net", "payments.mesh.internal")
	if s.wildcard {
		s.host = one(g, "*.example.com", "*.googleapis.com", "*.partner.net")
	}
	s.ports = g.externalPorts(resolution)
	spec := object{"hosts": []any{s.host}, "resolution": resolution, "ports": entryPorts(g, s.ports)}
	g.set(spec,
		optional{"location", 0.7, g.anyOf("MESH_EXTERNAL", "MESH_INTERNAL")},
		optional{"exportTo", 0.3, g.exportTo},
		optional{"subjectAltNames", 0.2, value([]any{"spiffe://cluster.local/ns/legacy/sa/vm", "api.example.com"})},
	)
	if resolution != "DYNAMIC_DNS" && g.chance(0.4) {
		spec["addresses"] = g.entryAddresses(resolution)
	}
	g.entryEndpoints(spec, s, resolution)
	g.add(networking, "ServiceEntry", namespace, name, object{"spec": spec})
	g.external = append(g.external, s)
}

func (g *generator) externalPorts(resolution string) []port {
	kinds := []port{{80, "http", "HTTP"}, {443, "https", "HTTPS"}, {443, "tls", "TLS"}, {8443, "tls-alt", "TLS"}, {7070, "grpc", "GRPC"}, {8080, "http2", "HTTP2"}}
	if resolution != "DYNAMIC_DNS" {
		kinds = append(kinds, port{9000, "tcp", "TCP"}, port{27017, "mongo", "MONGO"}, port{80, "tcp-web", "TCP"}, port{3306, "mysql", "MySQL"})
	}
	var out []port
	for _, p := range some(g, 3, kinds...) {
		if !slices.ContainsFunc(out, func(o port) bool { return o.number == p.number }) {
			out = append(out, p)
		}
	}
	return out
}

func entryPorts(g *generator, ports []port) []any {
	var out []any
	for _, p := range ports {
		out = append(out, g.set(object{"name": p.name, "number": p.number, "protocol": p.protocol}, optional{"targetPort", 0.25, g.anyOf(8080, 8443, 10443)}))
	}
	return out
}

func (g *generator) entryAddresses(resolution string) []any {
	out := []any{g.address("240.10")}
	if g.chance(0.3) {
		out = append(out, g.address("240.20"))
	}
	if (resolution == "NONE" || resolution == "STATIC") && g.chance(0.4) {
		out = append(out, one(g, "192.0.2.0/24", "198.51.100.64/26"))
	}
	if g.chance(0.1) {
		out = append(out, "2001:db8::10")
	}
	return out
}

func (g *generator) entryEndpoints(spec object, s service, resolution string) {
	switch resolution {
	case "STATIC":
		if g.chance(0.3) {
			labels := object{"app": s.name, "class": "vm"}
			spec["workloadSelector"] = object{"labels": labels}
			for i := range g.between(1, 2) {
				g.add(networking, "WorkloadEntry", s.namespace, fmt.Sprintf("%s-vm-%d", s.name, i), object{"spec": g.endpoint(s, g.address("172.20"), labels)})
			}
			return
		}
		var endpoints []any
		for range g.between(1, 3) {
			endpoints = append(endpoints, g.endpoint(s, g.address("172.16"), object{"version": one(g, "v1", "v2")}))
		}
		spec["endpoints"] = endpoints
	case "DNS":
		if g.chance(0.5) {
			spec["endpoints"] = []any{g.endpoint(s, "a.backend.example.net", object{"version": "v1"}), g.endpoint(s, "b.backend.example.net", object{"version": "v2"})}
		}
	case "DNS_ROUND_ROBIN":
		if g.chance(0.3) {
			spec["endpoints"] = []any{g.endpoint(s, "rr.backend.example.net", object{"version": "v1"})}
		}
	}
}

func (g *generator) endpoint(s service, address string, labels object) object {
	o := g.set(object{"address": address, "labels": labels},
		optional{"locality", 0.5, func() any { return g.locality() }},
		optional{"weight", 0.3, func() any { return g.between(1, 100) }},
		optional{"serviceAccount", 0.3, value("vm")},
		optional{"network", 0.1, value("vm-network")},
	)
	if g.chance(0.3) {
		o["ports"] = object{s.ports[0].name: g.between(10000, 10010)}
	}
	return o
}
