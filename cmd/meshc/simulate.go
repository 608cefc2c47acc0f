package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/simulate"
)

func newSimulate(s Streams) *cobra.Command {
	var (
		in      inputFlags
		proxy   string
		calls   string
		output  string
		verbose bool
	)
	cmd := &cobra.Command{
		Use:   "simulate PATH… --proxy NAME.NAMESPACE --calls FILE",
		Short: "Tell where calls end that reach a proxy, and why",
		Long: `Walk calls through what a proxy would be told, as Envoy would: listener, filter chain, TLS, virtual host, route, cluster.
The calls file is a list, JSON or YAML:

  - {name: login, mode: gateway, port: 8080, host: shop.example.com, path: /login, headers: {x-user: jason}}
  - {name: to reviews, mode: outbound, address: 10.96.0.7, port: 9080, host: reviews}

mode is outbound (redirected to the sidecar's port 15001), inbound (to 15006) or gateway (made to the proxy's own listener);
protocol http, http2 or tcp; tls plaintext, tls or mtls, with sni, alpn and source. -v tells each step with the YAML behind it.

The configuration is that of the target istio-proxy: what istiod would send.`,
		Example: `  meshc simulate deploy/ --proxy productpage-v1.default --calls calls.yaml
  meshc simulate deploy/ --proxy ingress.istio-ingress --calls calls.yaml -v
  meshc simulate deploy/ --proxy ingress.istio-ingress --calls calls.yaml -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case output != "text" && output != "json":
				return usageError("-o %s: outcomes are printed as text or json", output)
			case proxy == "":
				return usageError("--proxy is missing: name the proxy that the calls reach, NAME.NAMESPACE ('meshc proxies' lists them)")
			case calls == "":
				return usageError("--calls is missing: name the file that lists the calls")
			}
			list, err := readCalls(s, calls)
			if err != nil {
				return inputError(err)
			}
			mesh, err := in.load(cmd.Context(), s, pathsOr(cmd, args))
			if err != nil {
				return err
			}
			picked, err := proxiesOf(mesh, []string{proxy})
			if err != nil {
				return err
			}
			cfg := compile.Compile(mesh, picked[0], compile.Options{Target: compile.IstioProxy})
			outcomes := simulateAll(simulate.New(cfg, simulate.Options{Mesh: mesh}), list, verbose)
			if output == "json" {
				err = writeJSON(s.Out, struct {
					Outcomes []simulate.Outcome `json:"outcomes"`
				}{outcomes})
			} else {
				err = printOutcomes(s.Out, outcomes)
			}
			if err != nil {
				return inputError(err)
			}
			return loadStatus(s, mesh, compile.NotCompiled(mesh, compile.IstioProxy)...)
		},
	}
	in.register(cmd)
	cmd.Flags().StringVar(&proxy, "proxy", "", "the proxy that the calls reach, `NAME.NAMESPACE`")
	cmd.Flags().StringVar(&calls, "calls", "", "JSON or YAML `file` that lists the calls, or - for standard input")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "tell every step of the way and the YAML lines behind it")
	return cmd
}

func readCalls(s Streams, name string) ([]simulate.Call, error) {
	if name != "-" {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		return simulate.ReadCalls(name, text)
	}
	text, err := io.ReadAll(s.In)
	if err != nil {
		return nil, err
	}
	return simulate.ReadCalls("<stdin>", text)
}

func simulateAll(sim *simulate.Simulator, calls []simulate.Call, explain bool) []simulate.Outcome {
	outcomes := make([]simulate.Outcome, len(calls))
	for i, c := range calls {
		if explain {
			outcomes[i] = sim.Explain(c)
		} else {
			outcomes[i] = sim.Call(c)
		}
	}
	return outcomes
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// printOutcomes writes a paragraph a call: where it ends, and the parts of the configuration on its way.
func printOutcomes(w io.Writer, outcomes []simulate.Outcome) error {
	var out strings.Builder
	for i := range outcomes {
		o := &outcomes[i]
		name := o.Name
		if name == "" {
			name = fmt.Sprintf("call %d", i+1)
		}
		fmt.Fprintf(&out, "%s: %s\n", name, ending(o))
		for _, part := range []struct{ what, name string }{
			{"listener", o.Listener}, {"filter chain", o.FilterChain}, {"route configuration", o.RouteConfig},
			{"virtual host", o.VirtualHost}, {"route", o.Route},
		} {
			if part.name != "" && o.Trace == nil {
				fmt.Fprintf(&out, "  %-20s %s\n", part.what, part.name)
			}
		}
		printSteps(&out, o.Trace)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// ending says in a line where a call ends.
func ending(o *simulate.Outcome) string {
	switch {
	case o.Error == simulate.TLSRedirect:
		return fmt.Sprintf("%s: %d to %s", o.Error, o.Redirect.Status, o.Redirect.Location)
	case o.Error != "" && o.Status != 0:
		return fmt.Sprintf("%s, status %d", o.Error, o.Status)
	case o.Error != "":
		return string(o.Error)
	case o.Redirect != nil:
		return fmt.Sprintf("redirect %d to %s", o.Redirect.Status, o.Redirect.Location)
	case o.Direct != 0:
		return fmt.Sprintf("answered by the proxy, status %d", o.Direct)
	case o.Clusters != nil:
		words := make([]string, len(o.Clusters))
		for i, c := range o.Clusters {
			words[i] = fmt.Sprintf("%s (weight %d)", c.Name, c.Weight)
		}
		all := strings.Join(words, ", ")
		if o.Status != 0 {
			return missing(o, all)
		}
		return all
	case o.Cluster == "":
		return "nowhere"
	case o.Status != 0:
		return missing(o, o.Cluster)
	}
	return o.Cluster
}

// missing says that the proxy lacks what the route names.
func missing(o *simulate.Outcome, clusters string) string {
	return fmt.Sprintf("%s, which the proxy has no cluster for: status %d", clusters, o.Status)
}

func printSteps(out *strings.Builder, steps []simulate.Step) {
	for _, step := range steps {
		fmt.Fprintf(out, "  %-13s %s\n", step.Stage, step.Reason)
		for _, from := range step.Sources {
			fmt.Fprintf(out, "  %-13s   %s  %s", "", at(from.Location), resourceName(from.Resource))
			if from.Path != "" {
				fmt.Fprintf(out, "  %s", from.Path)
			}
			out.WriteByte('\n')
		}
	}
}

func at(l diag.Location) string {
	if l.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%s:%d:%d", l.File, l.Line, l.Column)
}

func resourceName(r diag.Resource) string { return r.Kind + " " + qualified(r.Namespace, r.Name) }
