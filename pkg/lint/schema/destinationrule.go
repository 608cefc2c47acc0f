package schema

import (
	"math/big"
	"slices"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshc/meshc/pkg/model/resource"
)

func destinationRule(c *check) {
	rule, ok := c.Object.(*networking.DestinationRule)
	if !ok || rule == nil {
		return
	}
	if h := rule.GetHost(); h != "" && !isIP(h) {
		c.bad("spec.host", h, wildcardName(h))
	}
	c.trafficPolicy("spec.trafficPolicy", rule.GetTrafficPolicy())
	seen := map[string]bool{}
	for i, s := range rule.GetSubsets() {
		at := resource.Index("spec.subsets", i)
		switch name := s.GetName(); {
		case name == "":
			c.errorf(MissingField, at+".name", "a subset needs a name")
		case !isLabel(name):
			c.errorf(InvalidValue, at+".name", "%q is no name for a subset: it must be a DNS label", name)
		case seen[name]:
			c.errorf(Duplicate, at+".name", "the subset %s is there twice: names of subsets must differ", name)
		}
		seen[s.GetName()] = true
		c.labels(at+".labels", s.GetLabels())
		c.trafficPolicy(at+".trafficPolicy", s.GetTrafficPolicy())
	}
	c.exportTo(rule.GetExportTo(), false)
	if sel := rule.GetWorkloadSelector(); sel != nil {
		c.matchLabels("spec.workloadSelector", sel)
		if e := rule.GetExportTo(); len(e) > 1 || len(e) == 1 && e[0] != "." {
			c.errorf(ConflictingFields, "spec.exportTo", `a DestinationRule with workloadSelector counts for its own namespace only: exportTo must be "." or absent`)
		}
	}
}

func (c *check) trafficPolicy(path string, p *networking.TrafficPolicy) {
	if p == nil {
		return
	}
	if p.GetLoadBalancer() == nil && p.GetConnectionPool() == nil && p.GetOutlierDetection() == nil && p.GetTls() == nil &&
		len(p.GetPortLevelSettings()) == 0 && p.GetTunnel() == nil && p.GetProxyProtocol() == nil && p.GetRetryBudget() == nil {
		c.errorf(MissingField, path, "the trafficPolicy is empty: say what it sets, or take it away")
	}
	if p.GetTunnel() != nil && p.GetProxyProtocol() != nil {
		c.errorf(ConflictingFields, path+".proxyProtocol", "tunnel and proxyProtocol exclude one another")
	}
	c.loadBalancer(path+".loadBalancer", p.GetLoadBalancer(), p.GetOutlierDetection())
	c.connectionPool(path+".connectionPool", p.GetConnectionPool())
	c.outlierDetection(path+".outlierDetection", p.GetOutlierDetection())
	c.clientTLS(path+".tls", p.GetTls())
	c.tunnel(path+".tunnel", p.GetTunnel())
	for i, s := range p.GetPortLevelSettings() {
		at := resource.Index(path+".portLevelSettings", i)
		if s.GetPort() == nil {
			c.errorf(MissingField, at+".port", "settings of a port need port.number")
		} else {
			c.port(at+".port.number", s.GetPort().GetNumber())
		}
		c.loadBalancer(at+".loadBalancer", s.GetLoadBalancer(), s.GetOutlierDetection())
		c.connectionPool(at+".connectionPool", s.GetConnectionPool())
		c.outlierDetection(at+".outlierDetection", s.GetOutlierDetection())
		c.clientTLS(at+".tls", s.GetTls())
	}
	if b := p.GetRetryBudget(); b != nil {
		if v := b.GetPercent().GetValue(); b.GetPercent() != nil && (v < 0 || v > 100) {
			c.errorf(InvalidValue, path+".retryBudget.percent", "%g is no percentage", v)
		}
	}
}

func (c *check) tunnel(path string, t *networking.TrafficPolicy_TunnelSettings) {
	if t == nil {
		return
	}
	if h := t.GetTargetHost(); !isIP(h) {
		c.bad(path+".targetHost", h, hostName(h))
	}
	c.port(path+".targetPort", t.GetTargetPort())
	if p := t.GetProtocol(); p != "" && p != "CONNECT" && p != "POST" {
		c.errorf(InvalidValue, path+".protocol", "%q: a tunnel uses CONNECT or POST", p)
	}
}

func (c *check) connectionPool(path string, p *networking.ConnectionPoolSettings) {
	if p == nil {
		return
	}
	if p.GetTcp() == nil && p.GetHttp() == nil {
		c.errorf(MissingField, path, "the connectionPool sets nothing: say tcp or http")
	}
	if h := p.GetHttp(); h != nil {
		at := path + ".http"
		if d := h.GetIdleTimeout(); d.AsDuration() != 0 {
			c.duration(at+".idleTimeout", d)
		}
		if h.GetUseClientProtocol() && h.GetH2UpgradePolicy() == networking.ConnectionPoolSettings_HTTPSettings_UPGRADE {
			c.errorf(ConflictingFields, at+".useClientProtocol", "useClientProtocol keeps the caller's protocol while h2UpgradePolicy UPGRADE changes it: keep one")
		}
	}
	if t := p.GetTcp(); t != nil {
		at := path + ".tcp"
		c.duration(at+".connectTimeout", t.GetConnectTimeout())
		c.duration(at+".maxConnectionDuration", t.GetMaxConnectionDuration())
		if d := t.GetIdleTimeout(); d.AsDuration() != 0 {
			c.duration(at+".idleTimeout", d)
		}
	}
}

func (c *check) outlierDetection(path string, o *networking.OutlierDetection) {
	if o == nil {
		return
	}
	c.duration(path+".interval", o.GetInterval())
	c.duration(path+".baseEjectionTime", o.GetBaseEjectionTime())
	if !o.GetSplitExternalLocalOriginErrors() && o.GetConsecutiveLocalOriginFailures().GetValue() > 0 {
		c.errorf(ConflictingFields, path+".consecutiveLocalOriginFailures", "consecutiveLocalOriginFailures counts only with splitExternalLocalOriginErrors: true")
	}
	if o.GetConsecutiveErrors() != 0 { //nolint:staticcheck // the deprecated field is what the check is about
		c.warnf(Deprecated, path+".consecutiveErrors", "consecutiveErrors is no longer read: say consecutive5xxErrors or consecutiveGatewayErrors")
	}
}

func (c *check) clientTLS(path string, t *networking.ClientTLSSettings) {
	if t == nil {
		return
	}
	if t.GetInsecureSkipVerify().GetValue() {
		if t.GetMode() == networking.ClientTLSSettings_SIMPLE && (t.GetCaCertificates() != "" || t.GetCredentialName() != "" || len(t.GetSubjectAltNames()) > 0) ||
			t.GetMode() != networking.ClientTLSSettings_SIMPLE && (t.GetCaCertificates() != "" || len(t.GetSubjectAltNames()) > 0) {
			c.errorf(ConflictingFields, path+".insecureSkipVerify", "insecureSkipVerify switches verification off, so caCertificates, credentialName and subjectAltNames have no place beside it")
		}
	}
	switch t.GetMode() {
	case networking.ClientTLSSettings_MUTUAL:
		if t.GetCredentialName() != "" {
			for field, v := range map[string]string{"clientCertificate": t.GetClientCertificate(), "privateKey": t.GetPrivateKey(), "caCertificates": t.GetCaCertificates()} {
				if v != "" {
					c.errorf(ConflictingFields, path+"."+field, "credentialName and %s both say where the certificate comes from: keep one", field)
				}
			}
			return
		}
		if t.GetClientCertificate() == "" {
			c.errorf(MissingField, path+".clientCertificate", "TLS mode MUTUAL needs clientCertificate (or a credentialName)")
		}
		if t.GetPrivateKey() == "" {
			c.errorf(MissingField, path+".privateKey", "TLS mode MUTUAL needs privateKey (or a credentialName)")
		}
	}
}

func (c *check) loadBalancer(path string, lb *networking.LoadBalancerSettings, outlier *networking.OutlierDetection) {
	if lb == nil {
		return
	}
	if lb.GetLocalityLbSetting() != nil && lb.GetZoneAwareLbSetting() != nil {
		c.errorf(ConflictingFields, path+".zoneAwareLbSetting", "localityLbSetting and zoneAwareLbSetting exclude one another: keep one")
	}
	if lb.GetWarmup() != nil && lb.GetWarmupDurationSecs() != nil {
		c.errorf(ConflictingFields, path+".warmup", "warmupDurationSecs is the old form of warmup: keep warmup")
	}
	c.consistentHash(path+".consistentHash", lb.GetConsistentHash())
	c.locality(path+".localityLbSetting", lb.GetLocalityLbSetting(), outlier)
	if z := lb.GetZoneAwareLbSetting(); z != nil && len(z.GetFailover()) > 0 && len(z.GetFailoverPriority()) > 0 {
		c.errorf(ConflictingFields, path+".zoneAwareLbSetting.failoverPriority", "failover and failoverPriority exclude one another: keep one")
	}
	if w := lb.GetWarmup(); w != nil {
		c.duration(path+".warmup.duration", w.GetDuration())
		simple := lb.GetSimple()
		if lb.GetConsistentHash() != nil || simple == networking.LoadBalancerSettings_RANDOM || simple == networking.LoadBalancerSettings_PASSTHROUGH {
			c.warnf(Ineffective, path+".warmup", "warmup works with ROUND_ROBIN and LEAST_REQUEST only")
		}
	}
}

func (c *check) consistentHash(path string, h *networking.LoadBalancerSettings_ConsistentHashLB) {
	if h == nil {
		return
	}
	if h.GetHashKey() == nil {
		c.errorf(MissingField, path, "consistentHash needs what to hash: httpHeaderName, httpCookie, useSourceIp or httpQueryParameterName")
	}
	if ck := h.GetHttpCookie(); ck != nil {
		if ck.GetName() == "" {
			c.errorf(MissingField, path+".httpCookie.name", "the cookie needs a name")
		}
		for i, a := range ck.GetAttributes() {
			if a.GetName() == "" {
				c.errorf(MissingField, resource.Index(path+".httpCookie.attributes", i)+".name", "an attribute of the cookie needs a name")
			}
		}
	}
	if size := h.GetMaglev().GetTableSize(); size > 0 {
		switch {
		case size > 5000011:
			c.errorf(InvalidValue, path+".maglev.tableSize", "%d is too large: a table has at most 5000011 entries", size)
		case !new(big.Int).SetUint64(size).ProbablyPrime(0):
			c.errorf(InvalidValue, path+".maglev.tableSize", "%d is no prime number, which Maglev's table size must be (65537 is the default)", size)
		}
	}
}

// locality judges localityLbSetting, of a DestinationRule or of the whole mesh.
func (c *check) locality(path string, l *networking.LocalityLoadBalancerSetting, outlier *networking.OutlierDetection) {
	if l == nil {
		return
	}
	if len(l.GetDistribute()) > 0 && (len(l.GetFailover()) > 0 || len(l.GetFailoverPriority()) > 0) {
		c.errorf(ConflictingFields, path+".distribute", "distribute and failover exclude one another: keep one")
	}
	var froms []string
	for i, d := range l.GetDistribute() {
		at := resource.Index(path+".distribute", i)
		froms = append(froms, d.GetFrom())
		total := uint32(0)
		var tos []string
		for to, share := range d.GetTo() {
			tos = append(tos, to)
			if share == 0 {
				c.errorf(InvalidValue, resource.Key(at+".to", to), "a share of 0 is not allowed: leave the locality out")
			}
			total += share
		}
		if total != 100 {
			c.errorf(InvalidValue, at+".to", "the shares of traffic from %s add up to %d: they must make 100", quote(d.GetFrom()), total)
		}
		c.localities(at+".to", tos)
	}
	c.localities(path+".distribute", froms)
	for i, f := range l.GetFailover() {
		at := resource.Index(path+".failover", i)
		if f.GetFrom() == f.GetTo() {
			c.errorf(InvalidValue, at+".to", "failover from %q leads to itself", f.GetFrom())
		}
		for _, side := range []struct{ field, region string }{{"from", f.GetFrom()}, {"to", f.GetTo()}} {
			if slices.ContainsFunc([]rune(side.region), func(r rune) bool { return r == '/' || r == '*' }) {
				c.errorf(InvalidValue, at+"."+side.field, "%q: failover names whole regions, without zones or *", side.region)
			}
		}
	}
	if outlier == nil && c.Kind == "DestinationRule" && len(l.GetFailover()) > 0 {
		c.warnf(Ineffective, path, "failover needs outlierDetection beside it: without it no endpoint counts as unhealthy, and nothing fails over")
	}
}
