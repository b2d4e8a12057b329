package config

import "strings"

func (c *checker) environmentNames() {
	for _, name := range sortedKeys(c.Environments) {
		path := join("environments", name)
		e := c.Environments[name]
		_, builtIn := c.builtIn.Suffixes[name]
		switch {
		case c.builtIn.names[name] != "":
			c.errorf(path, "is also the name of %s: /%s/… in a URL could mean either", c.ownerOf(name), name)
		case !builtIn && e.URL == "" && !c.broken(path+".url"):
			c.errorf(path, "needs a url, as it is not built in%s", didYouMean(name, sortedKeys(c.builtIn.Suffixes)))
		case e.URL != "" && !strings.Contains(string(e.URL), servicePlace):
			c.errorf(path+".url", "%q sends every service to one place: write {service} where the host stem belongs", e.URL)
		}
		if strings.Trim(e.Suffix, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			c.errorf(path+".suffix", "%q is no end of a host stem: use a-z, 0-9 and -", e.Suffix)
		}
	}
}

// ownerOf says whose name a built-in one is.
func (c *checker) ownerOf(name string) string {
	if owner := c.builtIn.names[name]; owner != name {
		return "service " + owner + ", by an alias"
	}
	return "a service"
}

// serviceNames refuses settings of services that nothing else describes.
func (c *checker) serviceNames() {
	for _, name := range sortedKeys(c.Services) {
		c.serviceName("services", name, c.Services[name])
		c.aliases("services", name, c.Services[name])
	}
	for _, environment := range sortedKeys(c.Environments) {
		services := c.Environments[environment].Services
		for _, name := range sortedKeys(services) {
			if _, known := c.Services[name]; !known {
				c.serviceName(join("environments", environment)+".services", name, services[name])
			}
			c.aliases(join("environments", environment)+".services", name, services[name])
		}
	}
	c.shareNames("defaults", c.Defaults)
	for _, name := range sortedKeys(c.Services) {
		c.shareNames(join("services", name), c.Services[name])
	}
	for _, environment := range sortedKeys(c.Environments) {
		services := c.Environments[environment].Services
		for _, name := range sortedKeys(services) {
			c.shareNames(join(join("environments", environment)+".services", name), services[name])
		}
	}
}

func (c *checker) serviceName(above, name string, s Service) {
	path := join(above, name)
	_, known := c.builtIn.names[name]
	if !known && s.URL == "" && s.Host == "" && !c.broken(path+".url") {
		c.errorf(path, "is not in the catalogue%s: a service of your own needs a url or a host", didYouMean(name, sortedKeys(c.builtIn.names)))
	}
	if _, taken := c.Environments[name]; taken && !known {
		c.errorf(path, "is also the name of an environment: /%s/… in a URL could mean either", name)
	}
}

// aliases refuses names that would have two meanings.
func (c *checker) aliases(above, name string, s Service) {
	for i, alias := range s.Aliases {
		at := index(join(above, name)+".aliases", i)
		_, isEnvironment := c.Environments[alias]
		owner, taken := c.builtIn.names[alias]
		switch {
		case !isName(alias):
			c.errorf(at, "%q is no name: use a-z, 0-9 and -", alias)
		case isEnvironment:
			c.errorf(at, "%q is also the name of an environment: /%s/… in a URL could mean either", alias, alias)
		case taken && owner != name && owner != alias:
			c.errorf(at, "%q already is another name of service %s", alias, owner)
		case taken && owner != name:
			c.errorf(at, "%q already is the name of a service", alias)
		}
	}
}
