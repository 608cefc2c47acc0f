package emit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/gatewayapi"
	"github.com/meshc/meshc/pkg/model/resource"
)

// Translation is the Istio configuration that the Gateway API and Ingresses amount to, and the status that each resource of the Gateway API
// would get. Its JSON is what `meshc translate -o json` prints.
type Translation struct {
	Config []TranslatedObject `json:"config"`
	Status []TranslatedStatus `json:"status"`
}

// TranslatedObject is an Istio resource as it would be applied.
type TranslatedObject struct {
	APIVersion string             `json:"apiVersion"`
	Kind       string             `json:"kind"`
	Metadata   TranslatedMetadata `json:"metadata"`
	Spec       any                `json:"spec"`

	from resource.Source
}

// TranslatedMetadata is the part of an object's metadata that the translation fills in.
type TranslatedMetadata struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// TranslatedStatus is the status of one resource.
type TranslatedStatus struct {
	Kind      string             `json:"kind"`
	Namespace string             `json:"namespace,omitempty"`
	Name      string             `json:"name"`
	Status    *gatewayapi.Status `json:"status"`

	from *resource.Resource
}

// TranslationFormats are those that Write knows.
func TranslationFormats() []string { return []string{"text", "json", "yaml"} }

// Translate tells what the Gateway API and Ingresses of the mesh amount to.
func Translate(mesh *model.Mesh) (*Translation, error) {
	t := &Translation{Config: []TranslatedObject{}, Status: []TranslatedStatus{}}
	gateways, services, rules := mesh.Converted()
	if err := translate(t, gateways); err != nil {
		return nil, err
	}
	if err := translate(t, services); err != nil {
		return nil, err
	}
	if err := translate(t, rules); err != nil {
		return nil, err
	}
	for _, s := range mesh.GatewayAPI().Statuses {
		t.Status = append(t.Status, TranslatedStatus{s.Resource.Kind, s.Resource.Namespace, s.Resource.Name, s.Status, s.Resource})
	}
	return t, nil
}

func translate[T proto.Message](t *Translation, list []resource.Of[T]) error {
	for _, r := range list {
		text, err := protojson.Marshal(r.Spec)
		if err != nil {
			return fmt.Errorf("%s: %w", r.ID(), err)
		}
		// protojson varies its spaces from one build to the next; reading the text back leaves only what it says.
		var spec any
		if err := json.Unmarshal(text, &spec); err != nil {
			return fmt.Errorf("%s: %w", r.ID(), err)
		}
		t.Config = append(t.Config, TranslatedObject{
			APIVersion: r.APIVersion, Kind: r.Kind, Metadata: TranslatedMetadata{r.Name, r.Namespace, r.Annotations}, Spec: spec, from: r.At("").Given(),
		})
	}
	return nil
}

// Write prints the translation as text, json or yaml. The YAML are documents that could be applied, after the statuses as comments.
func (t *Translation) Write(w io.Writer, format string) error {
	switch format {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(t)
	case "yaml":
		return t.writeYAML(w)
	}
	return t.writeText(w)
}

// writeYAML prints the configuration as documents that could be applied, and the status of each resource as a comment before them.
func (t *Translation) writeYAML(w io.Writer) error {
	var out bytes.Buffer
	for _, s := range t.Status {
		for _, line := range s.lines() {
			fmt.Fprintln(&out, "#", line)
		}
	}
	for _, c := range t.Config {
		text, err := yaml.Marshal(c)
		if err != nil {
			return err
		}
		fmt.Fprintf(&out, "---\n%s", text)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// writeText prints what became of each resource, then what was made of them.
func (t *Translation) writeText(w io.Writer) error {
	var out bytes.Buffer
	for _, s := range t.Status {
		for _, line := range s.lines() {
			fmt.Fprintln(&out, line)
		}
	}
	if len(t.Config) > 0 {
		fmt.Fprintln(&out, "\nIstio configuration:")
	}
	for _, c := range t.Config {
		l := c.from.Location()
		fmt.Fprintf(&out, "  %s %s/%s  from %s:%d\n", c.Kind, c.Metadata.Namespace, c.Metadata.Name, l.File, l.Line)
	}
	if len(t.Config)+len(t.Status) == 0 {
		fmt.Fprintln(&out, "The input holds no resources of the Gateway API that Istio would act on, and no Ingresses.")
	}
	_, err := w.Write(out.Bytes())
	return err
}

// lines tell the status: a line for the resource, and one for each condition that reports something wrong, with its place.
func (s TranslatedStatus) lines() []string {
	var bad []string
	pending := ""
	report := func(where string, conditions []gatewayapi.Condition) {
		for _, c := range conditions {
			if !c.Bad() {
				continue
			}
			if c.Type == "Programmed" {
				// Whether something listens there is for the cluster to say: istiod may yet deploy it. What keeps a listener from being
				// programmed is said by its other conditions.
				if where == "" {
					pending = c.Message
				}
				continue
			}
			l := s.from.Locate(c.Place)
			line := fmt.Sprintf("  %s:%d: %s%s: %s", l.File, l.Line, where, c.Reason, c.Message)
			if !slices.Contains(bad, line) {
				bad = append(bad, line)
			}
		}
	}
	report("", s.Status.Conditions)
	for _, l := range s.Status.Listeners {
		report("listener "+l.Name+": ", l.Conditions)
	}
	for _, p := range s.Status.Parents {
		report("at "+string(p.ParentRef.Name)+": ", p.Conditions)
	}
	for _, a := range s.Status.Ancestors {
		report("for "+string(a.AncestorRef.Name)+": ", a.Conditions)
	}
	verdict := "ok"
	switch {
	case len(bad) > 0:
		verdict = "not as meant"
	case pending != "":
		verdict = "ok, not programmed yet: " + pending
	}
	return append([]string{s.from.ID() + ": " + verdict}, bad...)
}
