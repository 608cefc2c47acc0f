package schema

import (
	"fmt"
	"net/url"
	"strings"

	extensions "istio.io/api/extensions/v1alpha1"
	telemetryv1alpha1 "istio.io/api/telemetry/v1alpha1"

	"github.com/meshc/meshc/pkg/model/resource"
)

func telemetry(c *check) {
	t, ok := c.Object.(*telemetryv1alpha1.Telemetry)
	if !ok || t == nil {
		return
	}
	c.attachment(t.GetSelector(), t.GetTargetRef(), t.GetTargetRefs())
	c.tracing(t.GetTracing())
	for i, m := range t.GetMetrics() {
		c.metrics(resource.Index("spec.metrics", i), m)
	}
	for i, l := range t.GetAccessLogging() {
		at := resource.Index("spec.accessLogging", i)
		c.providers(at, l.GetProviders())
		if l.GetFilter() != nil {
			c.bad(at+".filter.expression", l.GetFilter().GetExpression(), expression(l.GetFilter().GetExpression()))
		}
	}
}

func (c *check) providers(path string, refs []*telemetryv1alpha1.ProviderRef) {
	for i, r := range refs {
		if r.GetName() == "" {
			c.errorf(MissingField, resource.Index(path+".providers", i)+".name", "the provider needs a name, as in MeshConfig's extensionProviders")
		}
	}
}

func (c *check) tracing(list []*telemetryv1alpha1.Tracing) {
	if len(list) > 1 {
		c.warnf(Ineffective, "spec.tracing", "only one entry of tracing counts: the others have no effect")
	}
	for i, t := range list {
		at := resource.Index("spec.tracing", i)
		c.providers(at, t.GetProviders())
		if len(t.GetProviders()) > 1 {
			c.warnf(Ineffective, at+".providers", "only one tracing provider counts: the others have no effect")
		}
		if v := t.GetRandomSamplingPercentage().GetValue(); v < 0 || v > 100 {
			c.errorf(InvalidValue, at+".randomSamplingPercentage", "%g is no percentage: it must be from 0 to 100", v)
		}
		for name, tag := range t.GetCustomTags() {
			c.customTag(resource.Key(at+".customTags", name), name, tag)
		}
	}
}

func (c *check) customTag(path, name string, tag *telemetryv1alpha1.Tracing_CustomTag) {
	if name == "" {
		c.errorf(InvalidValue, path, "a tag needs a name")
	}
	switch {
	case tag == nil || tag.GetType() == nil:
		c.errorf(MissingField, path, "the tag %s has no value: say literal, environment, header or formatter", quote(name))
	case tag.GetLiteral() != nil && tag.GetLiteral().GetValue() == "":
		c.errorf(MissingField, path+".literal.value", "the literal needs a value")
	case tag.GetEnvironment() != nil && tag.GetEnvironment().GetName() == "":
		c.errorf(MissingField, path+".environment.name", "the environment variable needs a name")
	case tag.GetHeader() != nil && tag.GetHeader().GetName() == "":
		c.errorf(MissingField, path+".header.name", "the header needs a name")
	}
}

func (c *check) metrics(path string, m *telemetryv1alpha1.Metrics) {
	c.providers(path, m.GetProviders())
	c.duration(path+".reportingInterval", m.GetReportingInterval())
	for i, o := range m.GetOverrides() {
		at := resource.Index(path+".overrides", i)
		if custom, ok := o.GetMatch().GetMetricMatch().(*telemetryv1alpha1.MetricSelector_CustomMetric); ok && custom.CustomMetric == "" {
			c.errorf(InvalidValue, at+".match.customMetric", "customMetric is empty: name the metric")
		}
		for name, tag := range o.GetTagOverrides() {
			where := resource.Key(at+".tagOverrides", name)
			if name == "" {
				c.errorf(InvalidValue, where, "a tag needs a name")
			}
			switch upsert := tag.GetOperation() == telemetryv1alpha1.MetricsOverrides_TagOverride_UPSERT; {
			case upsert && tag.GetValue() == "":
				c.errorf(MissingField, where+".value", "to set a tag (operation UPSERT) a value is needed")
			case !upsert && tag.GetValue() != "":
				c.errorf(ConflictingFields, where+".value", "a tag that is removed has no value")
			}
		}
	}
}

// expression looks for what no CEL expression can be: nothing at all, or brackets and quotes that do not close.
func expression(text string) problem {
	var open []rune
	var quoted rune
	escaped := false
	closing := map[rune]rune{')': '(', ']': '[', '}': '{'}
	for _, r := range text {
		switch {
		case quoted != 0:
			if r == quoted && !escaped {
				quoted = 0
			}
			escaped = r == '\\' && !escaped
		case r == '"' || r == '\'':
			quoted = r
		case r == '(' || r == '[' || r == '{':
			open = append(open, r)
		case closing[r] != 0:
			if len(open) == 0 || open[len(open)-1] != closing[r] {
				return problem(fmt.Sprintf("is no CEL expression (the %c opens nowhere)", r))
			}
			open = open[:len(open)-1]
		}
	}
	switch {
	case quoted != 0:
		return "is no CEL expression (a quote is not closed)"
	case len(open) > 0:
		return problem(fmt.Sprintf("is no CEL expression (the %c is not closed)", open[len(open)-1]))
	}
	return ""
}

func wasmPlugin(c *check) {
	p, ok := c.Object.(*extensions.WasmPlugin)
	if !ok || p == nil {
		return
	}
	c.attachment(p.GetSelector(), p.GetTargetRef(), p.GetTargetRefs())
	c.module("spec", p.GetUrl(), p.GetSha256(), p.GetVmConfig())
	for i, m := range p.GetMatch() {
		for j, port := range m.GetPorts() {
			c.port(resource.Index(resource.Index("spec.match", i)+".ports", j)+".number", port.GetNumber())
		}
	}
}

func trafficExtension(c *check) {
	e, ok := c.Object.(*extensions.TrafficExtension)
	if !ok || e == nil {
		return
	}
	c.attachment(e.GetSelector(), nil, e.GetTargetRefs())
	switch {
	case (e.GetWasm() == nil) == (e.GetLua() == nil):
		c.errorf(ConflictingFields, "spec", "a TrafficExtension needs one of wasm and lua")
	case e.GetWasm() != nil:
		c.module("spec.wasm", e.GetWasm().GetUrl(), e.GetWasm().GetSha256(), e.GetWasm().GetVmConfig())
	case e.GetLua().GetInlineCode() == "":
		c.errorf(MissingField, "spec.lua.inlineCode", "lua needs inlineCode")
	}
	for i, m := range e.GetMatch() {
		for j, port := range m.GetPorts() {
			c.port(resource.Index(resource.Index("spec.match", i)+".ports", j)+".number", port.GetNumber())
		}
	}
}

// module judges where a WebAssembly module comes from and what it is given.
func (c *check) module(path, location, sha string, vm *extensions.VmConfig) {
	if location == "" {
		c.errorf(MissingField, path+".url", "the module needs a url: oci://, http(s):// or file://")
	} else if u, err := url.Parse(location); err != nil && !strings.Contains(location, ":") {
		c.errorf(InvalidValue, path+".url", "%s is no URL", quote(location))
	} else if err == nil && strings.Contains(location, "://") {
		switch u.Scheme {
		case "oci", "http", "https", "file":
		default:
			c.errorf(InvalidValue, path+".url", "%s: the URL must begin with oci://, http://, https:// or file://", quote(location))
		}
	}
	if sha != "" && (len(sha) != 64 || strings.Trim(sha, "0123456789abcdef") != "") {
		c.errorf(InvalidValue, path+".sha256", "%s is no SHA-256 digest: 64 digits of 0-9 and a-f", quote(sha))
	}
	names := map[string]bool{}
	for i, e := range vm.GetEnv() {
		at := resource.Index(path+".vmConfig.env", i)
		switch {
		case e == nil || e.GetName() == "":
			c.errorf(MissingField, at+".name", "an environment variable needs a name")
		case names[e.GetName()]:
			c.errorf(Duplicate, at+".name", "the variable %s is there twice", e.GetName())
		}
		if e.GetValueFrom() == extensions.EnvValueSource_HOST && e.GetValue() != "" {
			c.errorf(ConflictingFields, at+".value", "with valueFrom HOST the value comes from the proxy: take value away")
		}
		names[e.GetName()] = true
	}
}
