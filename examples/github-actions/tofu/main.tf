# A server on a network of its own, behind a security group. The cloud is the one that OS_CLOUD names.
terraform {
  required_providers {
    openstack = {
      source  = "terraform-provider-openstack/openstack"
      version = "~> 3.0"
    }
  }
}

provider "openstack" {}

data "openstack_images_image_v2" "tiny" {
  name = "tiny"
}

data "openstack_compute_flavor_v2" "nano" {
  name = "m1.nano"
}

resource "openstack_networking_network_v2" "web" {
  name = "web"
}

resource "openstack_networking_subnet_v2" "web" {
  name       = "web"
  network_id = openstack_networking_network_v2.web.id
  cidr       = "10.20.0.0/24"
}

resource "openstack_networking_secgroup_v2" "web" {
  name = "web"
}

resource "openstack_networking_secgroup_rule_v2" "http" {
  security_group_id = openstack_networking_secgroup_v2.web.id
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = "tcp"
  port_range_min    = 80
  port_range_max    = 80
  remote_ip_prefix  = "0.0.0.0/0"
}

resource "openstack_compute_instance_v2" "web" {
  name            = "web"
  image_id        = data.openstack_images_image_v2.tiny.id
  flavor_id       = data.openstack_compute_flavor_v2.nano.id
  security_groups = [openstack_networking_secgroup_v2.web.name]

  network {
    uuid = openstack_networking_network_v2.web.id
  }

  depends_on = [openstack_networking_subnet_v2.web]
}
