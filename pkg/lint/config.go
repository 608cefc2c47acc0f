package lint

// Config is the part of .meshc.yaml that lint reads. Its zero value is the default.
type Config struct {
	// Rules are directories with rule folders of the user's own, in the form of meshc's.
	Rules []string `json:"rules,omitempty"`
	// Severity sets the severity of rules by name: error, warning, info or off. A name may end in /* for all of a kind.
	Severity map[string]string `json:"severity,omitempty"`
	// Ignore lists findings that are accepted.
	Ignore []Ignore `json:"ignore,omitempty"`
	// External declares what lives outside the repository.
	External External `json:"external,omitempty"`
}

// Ignore accepts the findings that match everything it states; Rule and Reason are mandatory.
type Ignore struct {
	// Rule is a rule's name, one of its aliases, or "*".
	Rule string `json:"rule"`
	// Kind, Namespace and Name are those of the resource; patterns with * are understood.
	Kind      string `json:"kind,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	// Path is a pattern for the file, with ** for any directories.
	Path string `json:"path,omitempty"`
	// Reason is for the next reader.
	Reason string `json:"reason"`
}

// External declares what lives outside the repository: references into it are assumed to be right, and counted.
type External struct {
	// Namespaces hold everything that a reference asks for.
	Namespaces []string `json:"namespaces,omitempty"`
	// Services are NAMESPACE/NAME.
	Services []string `json:"services,omitempty"`
	// Hosts are host names, a leading *. included.
	Hosts []string `json:"hosts,omitempty"`
	// Gateways are NAMESPACE/NAME.
	Gateways []string `json:"gateways,omitempty"`
}
