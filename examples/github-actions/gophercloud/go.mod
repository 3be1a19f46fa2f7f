module example.com/fleet

go 1.24

require github.com/gophercloud/gophercloud/v2 v2.9.0

require gopkg.in/yaml.v2 v2.4.0 // indirect
