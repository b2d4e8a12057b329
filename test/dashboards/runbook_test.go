package dashboards_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"iqgateway/test/rig"
)

var program = rig.Program{Root: root()}

func TestMain(m *testing.M) { os.Exit(program.Run(m.Run)) }

func runbook(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(root("docs", "runbook.md"))
	rig.Must(t, err)
	return string(text)
}

// section is what the runbook says of one alert.
type section struct{ name, text string }

func sections(t *testing.T) []section {
	t.Helper()
	var all []section
	for part := range strings.SplitSeq(runbook(t), "\n### ") {
		name, text, _ := strings.Cut(part, "\n")
		text, _, _ = strings.Cut(text, "\n## ") // of the next part
		all = append(all, section{name, text})
	}
	return all[1:]
}

func runbookSections(t *testing.T) map[string]bool {
	t.Helper()
	anchors := map[string]bool{}
	for _, s := range sections(t) {
		anchors[strings.ToLower(s.name)] = true
	}
	return anchors
}

// Every alert has a section, which says the same of how bad it is, and every
// section an alert.
func TestRunbookHasEveryAlert(t *testing.T) {
	severity := map[string]string{}
	for _, a := range alerts(t) {
		severity[a.Alert] = a.Labels["severity"]
	}
	for _, s := range sections(t) {
		want, ok := severity[s.name]
		if !ok {
			t.Errorf("%s: no alert, or a second section", s.name)
		}
		delete(severity, s.name)
		if !strings.HasPrefix(strings.TrimSpace(s.text), want+". ") {
			t.Errorf("%s does not begin with its severity, %s", s.name, want)
		}
		for _, part := range []string{"Impact.", "Confirm.", "Do.", "Ask."} {
			if strings.Count(s.text, "\n- **"+part+"**") != 1 {
				t.Errorf("%s says nothing, or twice, under %s", s.name, part)
			}
		}
		if strings.Count(s.text, "\n- **Do not** ") != 1 {
			t.Errorf("%s says nothing, or twice, of what not to do", s.name)
		}
	}
	for name := range severity {
		t.Errorf("%s has no section", name)
	}
}

// A link within the runbook leads to one of its sections, another one to a file.
func TestRunbookLinksLeadSomewhere(t *testing.T) {
	anchors := runbookSections(t)
	for _, link := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(runbook(t), -1) {
		file, anchor, _ := strings.Cut(link[1], "#")
		if file == "" && !anchors[anchor] {
			t.Errorf("no section %s", link[1])
		}
		if _, err := os.Stat(root("docs", file)); err != nil {
			t.Error(err)
		}
	}
}

func fenced(text, language string) []string {
	var lines []string
	block := regexp.MustCompile("(?s)```" + language + "\n(.*?)```")
	for _, found := range block.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(found[1]) {
			if line = strings.TrimSpace(line); line != "" {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

func TestRunbookAsksForMetricsThatExist(t *testing.T) {
	known := knownMetrics(t)
	inText := regexp.MustCompile(`\biqgw_\w+`).FindAllString(runbook(t), -1)
	for _, expr := range append(fenced(runbook(t), "promql"), inText...) {
		known.check(t, expr, expr)
	}
}

// Every command of the runbook exists, with its flags and arguments.
func TestRunbookCommandsExist(t *testing.T) {
	binary, err := program.Path()
	rig.Must(t, err)
	commands := fenced(runbook(t), "sh")
	for _, span := range regexp.MustCompile("`(gateway [^`]+)`").FindAllStringSubmatch(runbook(t), -1) {
		commands = append(commands, span[1])
	}
	commands = slices.DeleteFunc(commands, func(c string) bool { return !strings.HasPrefix(c, "gateway ") })
	slices.Sort(commands)
	commands = slices.Compact(commands)
	if len(commands) < 12 {
		t.Fatalf("%d commands", len(commands))
	}
	for _, command := range commands {
		if err := checkCommand(t, binary, command); err != nil {
			t.Error(err)
		}
	}
	for _, wrong := range []string{"gateway heal", "gateway quota heal", "gateway quota show a/b/c --louder", "gateway token list retail"} {
		if checkCommand(t, binary, wrong) == nil {
			t.Errorf("%s is not found to be wrong", wrong)
		}
	}
}

func checkCommand(t *testing.T, binary, command string) error {
	t.Helper()
	words := regexp.MustCompile(`'[^']*'|\S+`).FindAllString(command, -1)
	// Flags are parsed before the help is printed; subcommands that do not exist
	// print that of their parent.
	out, err := exec.CommandContext(t.Context(), binary, append(words[1:], "--help")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", command, err, out)
	}
	_, usage, _ := strings.Cut(string(out), "Usage:\n")
	usage, _, _ = strings.Cut(strings.TrimSpace(usage), "\n")
	fixed := strings.Fields(regexp.MustCompile(` [^a-z ].*`).ReplaceAllString(usage, ""))
	if len(words) < len(fixed) || !slices.Equal(words[:len(fixed)], fixed) {
		return fmt.Errorf("%s: it is used as %q", command, usage)
	}
	rest := words[len(fixed):]
	if len(rest) > 0 && rest[0][0] != '-' && !regexp.MustCompile(` [A-Z]{2,}| \[[a-z|]+\] `).MatchString(usage) {
		return fmt.Errorf("%s: %q is no command and no argument of %q", command, rest[0], usage)
	}
	return nil
}
