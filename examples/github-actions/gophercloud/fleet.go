// Package fleet makes one server and waits for it: the program that is tested here.
package fleet

import (
	"context"
	"fmt"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/config"
	"github.com/gophercloud/gophercloud/v2/openstack/config/clouds"
)

// Connect logs in to the cloud that OS_CLOUD names in the file of OS_CLIENT_CONFIG_FILE.
func Connect(ctx context.Context) (*gophercloud.ServiceClient, error) {
	auth, endpoint, tls, err := clouds.Parse()
	if err != nil {
		return nil, err
	}
	provider, err := config.NewProviderClient(ctx, auth, config.WithTLSConfig(tls))
	if err != nil {
		return nil, err
	}
	return openstack.NewComputeV2(provider, endpoint)
}

// Add makes a server and waits until it is ACTIVE. One that cannot be built is removed.
func Add(ctx context.Context, compute *gophercloud.ServiceClient, options servers.CreateOpts) (*servers.Server, error) {
	server, err := servers.Create(ctx, compute, options, nil).Extract()
	if err != nil {
		return nil, err
	}
	if err := built(ctx, compute, server.ID); err != nil {
		if gone := servers.Delete(ctx, compute, server.ID).ExtractErr(); gone != nil {
			return nil, fmt.Errorf("%w, and it stays: %w", err, gone)
		}
		return nil, err
	}
	return servers.Get(ctx, compute, server.ID).Extract()
}

// built waits for a server; one in ERROR never becomes ACTIVE.
func built(ctx context.Context, compute *gophercloud.ServiceClient, id string) error {
	return gophercloud.WaitFor(ctx, func(ctx context.Context) (bool, error) {
		server, err := servers.Get(ctx, compute, id).Extract()
		if err != nil {
			return false, err
		}
		if server.Status == "ERROR" {
			return false, fmt.Errorf("server %s: %s", id, server.Fault.Message)
		}
		return server.Status == "ACTIVE", nil
	})
}
