"""The fleet against a cloud that is slow, full or broken on demand. Each test has a cloud as new."""

import unittest

import openstack
from openstack import exceptions

import fleet
from nephos import control, fault


class FleetTest(unittest.TestCase):
    def setUp(self):
        control("POST", "/reset")
        self.cloud = openstack.connect()
        self.addCleanup(self.cloud.close)

    def names(self):
        return [server.name for server in fleet.members(self.cloud, "web")]

    def test_grows_and_shrinks_and_leaves_nothing(self):
        fleet.resize(self.cloud, "web", 3)
        self.assertEqual(self.names(), ["web-0", "web-1", "web-2"])
        fleet.resize(self.cloud, "web", 1)
        self.assertEqual(self.names(), ["web-0"])
        fleet.resize(self.cloud, "web", 0)
        control("GET", "/assertions/nothing-left")

    def test_a_server_that_fails_is_removed(self):
        fault(kind="error", message="the disk is on fire", work="compute.servers.create", resource="web-1")
        with self.assertRaises(exceptions.ResourceFailure):
            fleet.resize(self.cloud, "web", 2)
        self.assertEqual(self.names(), ["web-0"])
        control("GET", "/assertions/no-leaked-ports")

    def test_a_cloud_that_is_full(self):
        fault(kind="no-valid-host", project="demo")
        with self.assertRaises(exceptions.ResourceFailure):
            fleet.resize(self.cloud, "web", 1)
        control("GET", "/assertions/nothing-left")

    def test_a_quota(self):
        fault(kind="over-quota", operation="compute.servers.create", call=2)
        with self.assertRaises(exceptions.ForbiddenException):
            fleet.resize(self.cloud, "web", 2)
        self.assertEqual(self.names(), ["web-0"])

    def test_servers_that_take_ten_minutes_each(self):
        fault(kind="delay", seconds=600, work="compute.servers.create", times="every")
        control("POST", "/clock/run", {"speed": 3000})
        fleet.resize(self.cloud, "web", 2)
        self.assertEqual([server.status for server in fleet.members(self.cloud, "web")], ["ACTIVE", "ACTIVE"])

    def test_asks_for_each_server_once(self):
        fleet.resize(self.cloud, "web", 2)
        calls = control("GET", "/calls?operation=compute.servers.create")["calls"]
        self.assertEqual([call["status"] for call in calls], [202, 202])


if __name__ == "__main__":
    unittest.main()
