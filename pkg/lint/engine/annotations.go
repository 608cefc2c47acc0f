package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"istio.io/api/annotation"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

// annotationsTerm is the table of Istio's annotations: by name the kinds that heed it ("Any" for all), and whether it is deprecated or alpha. Those
// that Istio hides, since its own parts write them, do not count as alpha.
func annotationsTerm() *ast.Term {
	table := ast.NewObject()
	for _, a := range annotation.AllResourceAnnotations() {
		kinds := make([]string, len(a.Resources))
		for i, kind := range a.Resources {
			kinds[i] = kind.String()
		}
		table.Insert(ast.StringTerm(a.Name), ast.ObjectTerm(
			item("kinds", stringsTerm(kinds)), item("deprecated", ast.BooleanTerm(a.Deprecated)), item("alpha", ast.BooleanTerm(a.FeatureStatus == annotation.Alpha && !a.Hidden)),
		))
	}
	return ast.NewTerm(table)
}

// annotationProblem: mesh.annotation_problem(name, value): why the value means nothing to Istio; undefined if it does, or if any text will do.
func annotationProblem(_ rego.BuiltinContext, name, value *ast.Term) (*ast.Term, error) {
	check := annotationValue(str(name))
	if check == nil {
		return nil, nil
	}
	if problem := check(str(value)); problem != "" {
		return ast.StringTerm(problem), nil
	}
	return nil, nil
}

// annotationValue finds what must be true of an annotation's value; nil for free text.
// See https://istio.io/latest/docs/reference/config/annotations/.
func annotationValue(name string) func(string) string {
	switch name {
	case annotation.SidecarInject.Name, annotation.SidecarRewriteAppHTTPProbers.Name, annotation.PrometheusMergeMetrics.Name:
		return isBool
	case annotation.SidecarStatusReadinessInitialDelaySeconds.Name, annotation.SidecarStatusReadinessPeriodSeconds.Name, annotation.SidecarStatusReadinessFailureThreshold.Name:
		return isCount
	case annotation.SidecarStatusPort.Name:
		return isPort
	case annotation.SidecarTrafficIncludeInboundPorts.Name, annotation.SidecarTrafficExcludeInboundPorts.Name, annotation.SidecarTrafficIncludeOutboundPorts.Name,
		annotation.SidecarTrafficExcludeOutboundPorts.Name, annotation.SidecarStatusReadinessApplicationPorts.Name:
		return eachOf(isPort)
	case annotation.SidecarTrafficIncludeOutboundIPRanges.Name, annotation.SidecarTrafficExcludeOutboundIPRanges.Name:
		return eachOf(isRange)
	case annotation.SidecarInterceptionMode.Name:
		return oneOf("REDIRECT", "TPROXY", "NONE")
	case annotation.NetworkingServiceType.Name:
		return oneOf("ClusterIP", "NodePort", "LoadBalancer")
	case annotation.SidecarProxyCPU.Name, annotation.SidecarProxyCPULimit.Name, annotation.SidecarProxyMemory.Name, annotation.SidecarProxyMemoryLimit.Name:
		return isQuantity
	case annotation.ProxyConfig.Name:
		return isMapping
	}
	return nil
}

func isBool(text string) string {
	if _, err := strconv.ParseBool(text); err != nil && !slices.Contains([]string{"yes", "no", "on", "off"}, strings.ToLower(text)) {
		return fmt.Sprintf("%q is neither true nor false", text)
	}
	return ""
}

func isCount(text string) string {
	if _, err := strconv.ParseUint(text, 10, 32); err != nil {
		return fmt.Sprintf("%q is no whole number", text)
	}
	return ""
}

func isPort(text string) string {
	if _, err := strconv.ParseUint(text, 10, 16); err != nil {
		return fmt.Sprintf("%q is no port (0 to 65535)", text)
	}
	return ""
}

func isRange(text string) string {
	if _, err := netip.ParsePrefix(text); err != nil {
		return fmt.Sprintf("%q is no range of addresses such as 10.0.0.0/8", text)
	}
	return ""
}

func isQuantity(text string) string {
	if _, err := resource.ParseQuantity(text); err != nil {
		return fmt.Sprintf("%q is no quantity such as 100m or 128Mi", text)
	}
	return ""
}

func isMapping(text string) string {
	var fields map[string]any
	if err := yaml.Unmarshal([]byte(text), &fields); err != nil {
		return "it is no YAML mapping of ProxyConfig's fields"
	}
	return ""
}

func oneOf(words ...string) func(string) string {
	return func(text string) string {
		if slices.Contains(words, text) {
			return ""
		}
		return fmt.Sprintf("%q is none of %s", text, strings.Join(words, ", "))
	}
}

// eachOf checks the items of a list joined by commas; * and the empty text stand for all and none.
func eachOf(check func(string) string) func(string) string {
	return func(text string) string {
		if text == "" || text == "*" {
			return ""
		}
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part == "" {
				continue
			}
			if problem := check(part); problem != "" {
				return problem
			}
		}
		return ""
	}
}
