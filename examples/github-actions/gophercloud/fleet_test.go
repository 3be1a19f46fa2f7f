package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
)

// control steers the simulated cloud.
func control(t *testing.T, method, path string, body any) {
	t.Helper()
	base := os.Getenv("NEPHOS_URL")
	if base == "" {
		base = "http://127.0.0.1:8774"
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequest(method, base+"/_nephos"+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		var why bytes.Buffer
		_, _ = why.ReadFrom(answer.Body)
		t.Fatalf("%s %s: %d %s", method, path, answer.StatusCode, why.String())
	}
}

// options are those of the smallest server.
func options(t *testing.T, compute *gophercloud.ServiceClient, name string) servers.CreateOpts {
	t.Helper()
	image, err := openstack.NewImageV2(compute.ProviderClient, gophercloud.EndpointOpts{})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := images.List(image, images.ListOpts{Name: "tiny"}).AllPages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found, err := images.ExtractImages(pages)
	if err != nil || len(found) == 0 {
		t.Fatalf("there is no image tiny: %v", err)
	}
	pages, err = flavors.ListDetail(compute, nil).AllPages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all, err := flavors.ExtractFlavors(pages)
	if err != nil || len(all) == 0 {
		t.Fatalf("there is no flavor: %v", err)
	}
	smallest := slices.MinFunc(all, func(a, b flavors.Flavor) int { return a.RAM - b.RAM })
	return servers.CreateOpts{Name: name, FlavorRef: smallest.ID, ImageRef: found[0].ID, Networks: "none"}
}

func connect(t *testing.T) (context.Context, *gophercloud.ServiceClient) {
	t.Helper()
	control(t, "POST", "/reset", nil)
	compute, err := Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	compute.Microversion = "2.90"
	return t.Context(), compute
}

func TestServerIsBuilt(t *testing.T) {
	ctx, compute := connect(t)
	server, err := Add(ctx, compute, options(t, compute, "web"))
	if err != nil {
		t.Fatal(err)
	}
	if server.Status != "ACTIVE" {
		t.Fatalf("it is %s", server.Status)
	}
}

func TestServerThatFailsIsRemoved(t *testing.T) {
	ctx, compute := connect(t)
	control(t, "POST", "/faults", map[string]any{"fault": map[string]any{
		"kind": "error", "message": "the disk is on fire", "work": "compute.servers.create",
	}})
	if _, err := Add(ctx, compute, options(t, compute, "web")); err == nil {
		t.Fatal("it was built")
	}
	control(t, "POST", "/clock/run-until-idle", map[string]any{})
	control(t, "GET", "/assertions/nothing-left", nil)
}
