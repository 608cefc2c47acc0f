package simulate

// Error says how a call fails before a route could answer it.
type Error string

const (
	// NoListener: nothing listens where the connection was made to.
	NoListener Error = "NoListener"
	// NoFilterChain: no filter chain of the listener is for such a connection; Envoy closes it.
	NoFilterChain Error = "NoFilterChain"
	// MultipleFilterChains: more than one is; Envoy refuses such a listener.
	MultipleFilterChains Error = "MultipleFilterChains"
	// NoVirtualHost and NoRoute: the request is answered by 404.
	NoVirtualHost Error = "NoVirtualHost"
	NoRoute       Error = "NoRoute"
	// TLSRedirect: the virtual host wants https; the request is answered by 301.
	TLSRedirect Error = "TLSRedirect"
	// ProtocolError: what the client speaks is not what the filter chain reads, or Envoy refuses the request itself.
	ProtocolError Error = "ProtocolError"
	// TLSError: a plaintext client at a filter chain that wants TLS.
	TLSError Error = "TLSError"
	// MTLSError: the client has no certificate where one is required, or one whose name is refused.
	MTLSError Error = "MTLSError"
	// Denied: a policy or the JWT filter refuses the call.
	Denied Error = "Denied"
)

// Outcome is where a call ends. Fields of steps that it did not reach are empty.
type Outcome struct {
	Name        string `json:"name"`
	Listener    string `json:"listener"`
	FilterChain string `json:"filterChain"`
	RouteConfig string `json:"routeConfig"`
	VirtualHost string `json:"virtualHost"`
	Route       string `json:"route"`
	Cluster     string `json:"cluster"`
	Error       Error  `json:"error"`
	// Clusters are those of a weighted route, with their weights; Cluster is empty then.
	Clusters []WeightedCluster `json:"clusters,omitempty"`
	Redirect *Redirect         `json:"redirect,omitempty"`
	// Direct is the status of a response that the proxy gives itself.
	Direct uint32 `json:"direct,omitempty"`
	// Status is that of a request which is Denied (401 or 403), which Envoy refuses by itself (400, 404), or whose Cluster is not there (503).
	Status uint32 `json:"status,omitempty"`
	// Policy is the one that denied the call.
	Policy *Policy `json:"policy,omitempty"`
	// Upstream is the request as the cluster sees it, nil for calls that reach none or are no HTTP, and where
	// Clusters tell it each for itself.
	Upstream *Upstream `json:"-"`
	// Trace holds the steps of the walk, for Explain.
	Trace []Step `json:"trace,omitempty"`
}

// WeightedCluster is one of several clusters that share a route's calls.
type WeightedCluster struct {
	Name   string `json:"name"`
	Weight uint32 `json:"weight"`
	// Upstream is the request as this cluster sees it, where it is one and the cluster is there.
	Upstream *Upstream `json:"-"`
}

// Redirect is an answer that sends the client elsewhere.
type Redirect struct {
	Status   uint32 `json:"status"`
	Location string `json:"location"`
}

// Policy names what denied a call.
type Policy struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Rule      string `json:"rule"`
}
