package schema

import (
	"net"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model/document"
	"github.com/meshc/meshc/pkg/model/resource"
)

// settings is MeshConfig or MeshNetworks as it stands, as text, in a ConfigMap.
type settings struct {
	*check
	doc  *document.Document
	path string // data.mesh
}

// meshSettings judges the ConfigMap with the mesh's settings, as istiod does when it loads it
// (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/).
func meshSettings(c *check) {
	if !resource.IsMeshConfigMap(c.Resource) {
		return
	}
	for key, judge := range map[string]func(settings){"data.mesh": settings.meshConfig, "data.meshNetworks": settings.meshNetworks} {
		if !c.has(key) {
			continue
		}
		// The loader reports what is no YAML.
		if doc, findings := resource.Embedded(c.Resource, key); doc != nil && len(findings) == 0 {
			judge(settings{c, doc, key})
		}
	}
}

// at returns the node at a path below the settings' root, nil where there is none.
func (s settings) at(path string) *yaml.Node {
	n := s.doc.Root
	if n != nil && n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	found, ok := (&resource.Resource{Node: n}).NodeAt(path)
	if !ok || found.Tag == "!!null" {
		return nil
	}
	return found
}

func (s settings) text(path string) (string, bool) {
	n := s.at(path)
	if n == nil || n.Kind != yaml.ScalarNode {
		return "", false
	}
	return n.Value, true
}

func (s settings) wrong(rule, path, message string) {
	s.say(diag.Error, rule, "IST0106", path, message)
}

func (s settings) say(severity diag.Severity, rule, alias, path, message string) {
	n := s.at(path)
	for parent := path; n == nil && strings.Contains(parent, "."); {
		parent = parent[:strings.LastIndexByte(parent, '.')]
		n = s.at(parent)
	}
	s.findings = append(s.findings, diag.Finding{
		Rule: rule, Aliases: []string{alias}, Severity: severity, Message: message,
		Resource: s.Ref(), Path: s.path + "." + path, Location: s.doc.Location(n),
	})
}

func (s settings) meshConfig() {
	for _, path := range []string{"connectTimeout", "defaultConfig.drainDuration", "defaultConfig.terminationDrainDuration"} {
		s.duration(path)
	}
	for _, path := range []string{"defaultInboundHttpRetryPolicy", "defaultHttpRetryPolicy"} {
		s.retryPolicy(path)
	}
	if list := s.at("localityLbSetting.failover"); list != nil {
		for i := range list.Content {
			for _, side := range []string{"from", "to"} {
				path := resource.Index("localityLbSetting.failover", i) + "." + side
				if v, ok := s.text(path); ok && strings.ContainsAny(v, "/*") {
					s.wrong(InvalidValue, path, quote(v)+": failover names whole regions, without zones or *")
				}
			}
		}
	}
	if list := s.at("trustDomainAliases"); list != nil {
		for i, n := range list.Content {
			if p := hostName(n.Value); p != "" {
				s.wrong(InvalidValue, resource.Index("trustDomainAliases", i), quote(n.Value)+" "+string(p))
			}
		}
	}
	s.proxyConfig("defaultConfig")
}

func (s settings) proxyConfig(path string) {
	for _, field := range []string{
		"discoveryAddress", "statsdUdpAddress", "envoyAccessLogService.address", "envoyMetricsService.address",
		"tracing.zipkin.address", "tracing.lightstep.address", "tracing.datadog.address",
	} {
		s.address(path + "." + field)
	}
	if s.at(path+".tracing.datadog") != nil && s.at(path+".tracing.datadog.address") == nil {
		s.wrong(MissingField, path+".tracing.datadog.address", "datadog needs an address, HOST:PORT")
	}
	if s.at(path+".tracing.lightstep") != nil {
		if token, _ := s.text(path + ".tracing.lightstep.accessToken"); token == "" {
			s.wrong(MissingField, path+".tracing.lightstep.accessToken", "lightstep needs an accessToken")
		}
	}
	for _, field := range []string{"statusPort", "proxyAdminPort"} {
		if v, ok := s.text(path + "." + field); ok {
			if n, err := strconv.Atoi(v); err != nil || n < 0 || n > 65535 {
				s.wrong(InvalidValue, path+"."+field, quote(v)+" is no port number: it must be from 1 to 65535")
			}
		}
	}
	for _, provider := range []string{"cryptomb", "qat"} {
		holder := path + ".privateKeyProvider." + provider
		if s.at(holder) == nil {
			continue
		}
		delay, ok := s.text(holder + ".pollDelay")
		if d, err := time.ParseDuration(delay); !ok || err == nil && d == 0 {
			s.wrong(MissingField, holder+".pollDelay", "the private key provider "+provider+" needs a pollDelay above 0")
		}
	}
}

func (s settings) duration(path string) {
	text, ok := s.text(path)
	if !ok {
		return
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		// The decoder reports what is no duration.
	case d < time.Millisecond:
		s.wrong(InvalidValue, path, quote(text)+" is too short: it must be at least 1ms")
	case d%time.Millisecond != 0:
		s.wrong(InvalidValue, path, quote(text)+" is too fine: whole milliseconds are the smallest unit")
	}
}

func (s settings) retryPolicy(path string) {
	if s.at(path) == nil {
		return
	}
	attempts, _ := s.text(path + ".attempts")
	n, _ := strconv.Atoi(attempts)
	if n < 0 {
		s.wrong(InvalidValue, path+".attempts", "attempts can't be negative")
	}
	for _, field := range []string{"perTryTimeout", "retryOn", "backoff", "retryRemoteLocalities"} {
		if n == 0 && s.at(path+"."+field) != nil {
			s.wrong(ConflictingFields, path+"."+field, "attempts is 0, which switches retries off: set attempts or take "+field+" away")
			return
		}
	}
	s.duration(path + ".perTryTimeout")
	s.duration(path + ".backoff")
	if on, ok := s.text(path + ".retryOn"); ok && on != "" {
		for condition := range strings.SplitSeq(on, ",") {
			if c := strings.TrimSpace(condition); !retryCondition(c) {
				s.wrong(InvalidValue, path+".retryOn", quote(c)+" is no condition to retry on: write Envoy's names (5xx, connect-failure, unavailable…) or status codes")
			}
		}
	}
	if path == "defaultInboundHttpRetryPolicy" && s.at(path+".retryIgnorePreviousHosts") != nil {
		s.say(diag.Warning, Ineffective, "IST0133", path+".retryIgnorePreviousHosts", "retryIgnorePreviousHosts has no effect on inbound requests: there is one host, the workload itself")
	}
}

func (s settings) address(path string) {
	address, ok := s.text(path)
	// $(HOST_IP) and its like are written in when the proxy starts.
	if !ok || address == "" || strings.Contains(address, "$(") {
		return
	}
	host, port, err := net.SplitHostPort(address)
	n, bad := strconv.Atoi(port)
	switch {
	case err != nil || bad != nil || n < 1 || n > 65535:
		s.wrong(InvalidValue, path, quote(address)+" is no address: write HOST:PORT")
	case !isIP(host) && hostName(host) != "":
		s.wrong(InvalidValue, path, quote(address)+": "+quote(host)+" is no IP address or host name")
	}
}

func (s settings) meshNetworks() {
	networks := s.at("networks")
	if networks == nil || networks.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(networks.Content); i += 2 {
		path := resource.Key("networks", networks.Content[i].Value) + ".gateways"
		list := s.at(path)
		if list == nil {
			continue
		}
		for j := range list.Content {
			at := resource.Index(path, j) + ".address"
			if a, ok := s.text(at); ok && !isIP(a) && hostName(a) != "" {
				s.wrong(InvalidValue, at, quote(a)+" is no IP address or host name")
			}
		}
	}
}
