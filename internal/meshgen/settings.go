package meshgen

import "sigs.k8s.io/yaml"

// meshConfig draws the mesh's settings, as the ConfigMap that the installation holds.
func (g *generator) meshConfig() {
	if !g.size.Settings || g.chance(0.4) {
		return
	}
	settings := g.set(object{},
		optional{"accessLogFile", 0.4, value("/dev/stdout")},
		optional{"accessLogEncoding", 0.3, g.anyOf("JSON", "TEXT")},
		optional{"accessLogFormat", 0.1, value("[%START_TIME%] %RESPONSE_CODE%\n")},
		optional{"enableAutoMtls", 0.2, g.anyOf(true, false)},
		optional{"enableTracing", 0.3, g.anyOf(true, false)},
		optional{"outboundTrafficPolicy", 0.3, func() any { return object{"mode": one(g, "REGISTRY_ONLY", "ALLOW_ANY")} }},
		optional{"connectTimeout", 0.2, g.anyOf("1s", "5s")},
		optional{"protocolDetectionTimeout", 0.2, g.anyOf("0s", "5s")},
		optional{"h2UpgradePolicy", 0.1, g.anyOf("UPGRADE", "DO_NOT_UPGRADE")},
		optional{"trustDomain", 0.15, value("td1.example")},
		optional{"trustDomainAliases", 0.15, value([]any{"td2.example"})},
		optional{"tcpKeepalive", 0.15, func() any { return object{"probes": 5, "time": "600s"} }},
		optional{"defaultServiceExportTo", 0.1, value([]any{"*"})},
		optional{"defaultVirtualServiceExportTo", 0.1, value([]any{"."})},
		optional{"defaultDestinationRuleExportTo", 0.1, value([]any{"."})},
		optional{"localityLbSetting", 0.15, g.localitySetting},
		optional{"defaultHttpRetryPolicy", 0.15, func() any { return object{"attempts": 3, "retryOn": "5xx"} }},
		optional{"pathNormalization", 0.2, func() any {
			return object{"normalization": one(g, "NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES")}
		}},
		optional{"verifyCertificateAtClient", 0.1, g.anyOf(true, false)},
		optional{"defaultConfig", 0.3, func() any {
			return g.set(object{},
				optional{"tracing", 0.5, func() any { return object{"sampling": 50, "zipkin": object{"address": "zipkin.istio-system:9411"}} }},
				optional{"gatewayTopology", 0.4, func() any { return object{"numTrustedProxies": 2, "forwardClientCertDetails": "APPEND_FORWARD"} }},
				optional{"holdApplicationUntilProxyStarts", 0.3, always},
			)
		}},
	)
	g.meshSettings(settings)
}

// meshSettings adds the settings as the ConfigMap that the installation holds.
func (g *generator) meshSettings(settings object) {
	text, err := yaml.Marshal(settings)
	if err != nil {
		panic(err)
	}
	g.add("v1", "ConfigMap", "istio-system", "istio", object{"data": object{"mesh": string(text)}})
}

func (g *generator) telemetry() {
	if !g.size.Settings || g.chance(0.6) {
		return
	}
	spec := g.set(object{},
		optional{"accessLogging", 0.5, func() any {
			return []any{object{"providers": []any{object{"name": "envoy"}}, "filter": object{"expression": "response.code >= 400"}}}
		}},
		optional{"tracing", 0.5, func() any {
			return []any{object{"randomSamplingPercentage": one(g, 1.5, 100), "disableSpanReporting": g.chance(0.5)}}
		}},
		optional{"metrics", 0.5, func() any { return []any{object{"providers": []any{object{"name": "prometheus"}}}} }},
	)
	g.add("telemetry.istio.io/v1", "Telemetry", one(g, g.everywhere()...), "default", object{"spec": spec})
}
