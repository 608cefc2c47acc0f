package compile

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/pkg/model"
)

// domainsSeenFrom is the table of a sidecar in a namespace; ports says that names are told apart by port too.
func domainsSeenFrom(namespace string, ports bool, aliases map[string][]string) *domains {
	return &domains{
		namespace: namespace, cluster: ".svc.cluster.local", ports: ports, aliases: aliases,
		addresses: func(svc *model.Service) []string { return svc.Addresses },
		hosts:     map[string]bool{}, taken: map[string]bool{}, known: map[string]bool{},
	}
}

func TestDomainsOfServices(t *testing.T) {
	reviews := &model.Service{Hostname: "reviews.shop.svc.cluster.local", Namespace: "shop", Kubernetes: true, Addresses: []string{"10.96.0.1"}}
	for _, tc := range []struct {
		name    string
		svc     *model.Service
		from    string
		ports   bool
		aliases map[string][]string
		want    []string
	}{
		{
			name: "from its own namespace",
			svc:  reviews,
			from: "shop",
			want: []string{
				"reviews.shop.svc.cluster.local", "reviews.shop.svc.cluster.local.",
				"reviews", "reviews.shop.svc", "reviews.shop", "10.96.0.1",
			},
		},
		{
			name: "from another namespace the bare name means something else",
			svc:  reviews,
			from: "other",
			want: []string{
				"reviews.shop.svc.cluster.local", "reviews.shop.svc.cluster.local.",
				"reviews.shop", "reviews.shop.svc", "10.96.0.1",
			},
		},
		{
			name: "pods of a headless service have names below it",
			svc: &model.Service{
				Hostname: "db.shop.svc.cluster.local", Kubernetes: true, Headless: true, Resolution: model.Passthrough,
			},
			from: "other",
			want: []string{
				"db.shop.svc.cluster.local", "db.shop.svc.cluster.local.", "db.shop", "db.shop.svc",
				"*.db.shop.svc.cluster.local", "*.db.shop.svc.cluster.local.", "*.db.shop", "*.db.shop.svc",
			},
		},
		{
			name: "outside the cluster nothing is shortened",
			svc:  &model.Service{Hostname: "api.vendor.com", Addresses: []string{"240.0.0.7", "2001:db8::1"}},
			from: "shop",
			want: []string{"api.vendor.com", "api.vendor.com.", "240.0.0.7", "[2001:db8::1]"},
		},
		{
			name: "an address is no name with a root",
			svc:  &model.Service{Hostname: "192.0.2.1"},
			from: "shop",
			want: []string{"192.0.2.1"},
		},
		{
			name:    "another name of the service",
			svc:     reviews,
			from:    "shop",
			aliases: map[string][]string{"reviews.shop.svc.cluster.local": {"old.other.svc.cluster.local"}},
			want: []string{
				"reviews.shop.svc.cluster.local", "reviews.shop.svc.cluster.local.", "reviews", "reviews.shop.svc", "reviews.shop",
				"old.other.svc.cluster.local", "old.other.svc.cluster.local.", "old.other", "old.other.svc",
				"10.96.0.1",
			},
		},
		{
			name:  "a table of all ports tells them apart",
			svc:   &model.Service{Hostname: "api.vendor.com", Addresses: []string{"2001:db8::1"}},
			from:  "shop",
			ports: true,
			want: []string{
				"api.vendor.com", "api.vendor.com:80", "api.vendor.com.", "api.vendor.com.:80", "[2001:db8::1]", "[2001:db8::1]:80",
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := domainsSeenFrom(tc.from, tc.ports, tc.aliases).claim(tc.svc.Hostname, 80, tc.svc)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("domains (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDomainsAreGivenOnce(t *testing.T) {
	d := domainsSeenFrom("shop", false, nil)
	// A service whose full name another's short name spells.
	d.known["reviews.shop"] = true
	reviews := &model.Service{Hostname: "reviews.shop.svc.cluster.local", Kubernetes: true}
	for _, step := range []struct {
		host string
		svc  *model.Service
		want []string
	}{
		{"Reviews.shop.svc.cluster.local", nil, []string{"Reviews.shop.svc.cluster.local"}},
		{"reviews.shop.svc.cluster.local", reviews, []string{"reviews.shop.svc.cluster.local.", "reviews", "reviews.shop.svc"}},
		{"reviews.shop.svc.cluster.local", reviews, nil},
		{"reviews.shop", &model.Service{Hostname: "reviews.shop"}, []string{"reviews.shop", "reviews.shop."}},
	} {
		if diff := cmp.Diff(step.want, d.claim(step.host, 80, step.svc)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.host, diff)
		}
	}
}

func TestServiceAliases(t *testing.T) {
	alias := func(namespace, hostname, target string) *model.Service {
		return &model.Service{Namespace: namespace, Hostname: hostname, Resolution: model.Alias, ExternalName: target}
	}
	got := serviceAliases([]*model.Service{
		alias("z", "far", "near"), alias("a", "near", "server"), alias("b", "also", "server"), {Hostname: "server"},
		alias("a", "ring1", "ring2"), alias("a", "ring2", "ring1"), alias("a", "self", "self"),
	})
	want := map[string][]string{"server": {"near", "also", "far"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("aliases (-want +got):\n%s", diff)
	}
}
