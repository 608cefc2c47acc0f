package compile

import (
	"fmt"
	"strings"

	telemetry "istio.io/api/telemetry/v1alpha1"

	"github.com/meshc/meshc/pkg/compile/translate"
	"github.com/meshc/meshc/pkg/model"
)

// telemetry is what Telemetry resources ask of the proxy.
func (b *builder) telemetry() *model.Telemetry {
	if b.ownTelemetry == nil {
		b.ownTelemetry = b.mesh.TelemetryOf(b.proxy)
	}
	return b.ownTelemetry
}

// workloadMode is how Telemetry resources speak of a direction: only a workload's inbound traffic is a server's.
func (d direction) workloadMode() telemetry.WorkloadMode {
	if d == inbound {
		return telemetry.WorkloadMode_SERVER
	}
	return telemetry.WorkloadMode_CLIENT
}

// outward is the direction of what the proxy sends on for others: a gateway's, or a sidecar's to the mesh.
func (b *builder) outward() direction {
	if b.proxy.Type == model.Router {
		return gateway
	}
	return outbound
}

// collector is the service that gets what a provider sends.
type collector struct {
	hostname, cluster string
	// unseen says why the proxy has no such cluster, "" where it has.
	unseen string
}

// collectorOf finds a provider's service in the whole mesh, as istiod does, whatever the proxy can see: HOST where one namespace alone
// offers it, or NAMESPACE/HOST.
func collectorOf(mesh *model.Mesh, service string, port uint32) (collector, error) {
	namespace, hostname, ok := strings.Cut(service, "/")
	if !ok {
		namespace, hostname = "", service
	}
	if hostname == "" {
		return collector{}, fmt.Errorf("it names no service")
	}
	namespaces := map[string]*model.Service{}
	for _, s := range mesh.ServicesByHost(hostname) {
		if namespaces[s.Namespace] == nil {
			namespaces[s.Namespace] = s
		}
	}
	switch {
	case namespace != "" && namespaces[namespace] == nil:
		return collector{}, fmt.Errorf("the input holds no service %s in namespace %s", hostname, namespace)
	case namespace == "" && len(namespaces) == 0:
		return collector{}, fmt.Errorf("the input holds no service %s", hostname)
	case namespace == "" && len(namespaces) > 1:
		return collector{}, fmt.Errorf("several namespaces have a service %s: write NAMESPACE/%s", hostname, hostname)
	}
	c := collector{hostname: hostname, cluster: translate.OutboundCluster(port, "", hostname)}
	for _, s := range namespaces {
		if (namespace == "" || s.Namespace == namespace) && s.Port(port) == nil {
			c.unseen = fmt.Sprintf("service %s has no port %d", hostname, port)
		}
	}
	return c, nil
}

// collector is collectorOf for the proxy. Where the proxy has no cluster for it, Envoy refuses what refers to the service: stock Envoy is
// then not told of it, and is sent the rest.
func (b *builder) collector(service string, port uint32) (collector, bool) {
	c, err := collectorOf(b.mesh, service, port)
	if err != nil {
		return c, false
	}
	if seen := b.scope.Service(c.hostname); seen == nil || seen.Port(port) == nil {
		return c, b.target == IstioProxy
	}
	return c, true
}
