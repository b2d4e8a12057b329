package supply

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Document is a CycloneDX 1.6 bill of materials.
type Document struct {
	Format       string      `json:"bomFormat"`
	Spec         string      `json:"specVersion"`
	Serial       string      `json:"serialNumber"`
	Version      int         `json:"version"`
	Metadata     Metadata    `json:"metadata"`
	Components   []Component `json:"components"`
	Dependencies []Edge      `json:"dependencies"`
}

// Metadata names what the document is about.
type Metadata struct {
	Component Component `json:"component"`
}

// Component is the program, or a part of it.
type Component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl"`
	Hashes     []Hash     `json:"hashes,omitempty"`
	Licences   []Licence  `json:"licenses,omitempty"`
	Properties []Property `json:"properties,omitempty"`
}

// Hash is of the whole file.
type Hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

// Licence is an SPDX expression.
type Licence struct {
	Expression string `json:"expression"`
}

// Property is what CycloneDX has no field for.
type Property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Edge says what a component is made of.
type Edge struct {
	Ref  string   `json:"ref"`
	Uses []string `json:"dependsOn"`
}

// Bill returns the document of a program: its bytes, its version, the version of
// Go ("go1.27.4") that it was built with, and its modules. It is the same
// whenever these are: it holds no time.
func Bill(binary []byte, version, toolchain string, modules []Module) Document {
	sum := sha256.Sum256(binary)
	program := component("application", "iqgateway", version)
	program.Hashes = []Hash{{"SHA-256", hex.EncodeToString(sum[:])}}
	std := component("library", "std", strings.TrimPrefix(toolchain, "go"))
	std.Licences = []Licence{{"BSD-3-Clause"}}
	d := Document{
		Format: "CycloneDX", Spec: "1.6", Serial: serial(sum[:16]), Version: 1,
		Metadata: Metadata{Component: program}, Components: []Component{std},
	}
	for _, m := range modules {
		c := component("library", m.Path, m.Version)
		c.Licences = []Licence{{strings.Join(m.Licences, " AND ")}}
		c.Properties = []Property{{"go:sum", m.Sum}} // a hash of a list of files, which CycloneDX has no name for
		d.Components = append(d.Components, c)
	}
	edge := Edge{Ref: program.Ref}
	for _, c := range d.Components {
		edge.Uses = append(edge.Uses, c.Ref)
	}
	d.Dependencies = []Edge{edge}
	return d
}

func component(kind, name, version string) Component {
	purl := "pkg:golang/" + name + "@" + version
	return Component{Type: kind, Ref: purl, Name: name, Version: version, PURL: purl}
}

// serial makes a UUID of 16 bytes (RFC 9562 section 5.8).
func serial(b []byte) string {
	u := [16]byte(b)
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	x := hex.EncodeToString(u[:])
	return "urn:uuid:" + x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}
