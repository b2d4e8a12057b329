package main

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// block is one fenced block of a document.
type block struct {
	line     int // of the fence, from 1
	language string
	text     string
	// mark is the comment in the line above the fence, or that of the whole document,
	// which says why the block is not tested as others of its language are.
	mark string
}

// notRun are the reasons for which the commands of a block may stay unrun. Those
// of the gateway in them have to parse all the same.
var notRun = map[string]string{
	"not run: needs a cluster":             "kubectl and helm act on a cluster",
	"not run: needs your servers":          "names hosts or files of the reader's",
	"not run: needs your fleet":            "asks for buckets and callers of the reader's",
	"not run: needs Docker":                "builds or starts containers",
	"not run: by another test":             "too slow here, or run with each language",
	"not a configuration: Kubernetes":      "an object of a cluster",
	"not a configuration: Helm values":     "the chart's own tests render them",
	"not a configuration: another product": "Kong's, for comparison",
}

// documents are all texts of the project for people, by path below its root.
func documents(t *testing.T) []string {
	t.Helper()
	root := filepath.Join("..", "..")
	var found []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "bin", "testdata", "node_modules"}, d.Name()):
			return filepath.SkipDir
		case filepath.Ext(path) == ".md":
			name, err := filepath.Rel(root, path)
			found = append(found, name)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 20 {
		t.Fatalf("only %v found", found)
	}
	return found
}

func readDocument(t *testing.T, document string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", document))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocksOf returns the blocks of a document in their order.
func blocksOf(t *testing.T, document string) []block {
	t.Helper()
	var blocks []block
	var inside bool
	before, everywhere := "", ""
	for n, line := range strings.Split(readDocument(t, document), "\n") {
		fence, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case isFence && !inside:
			mark := cmp.Or(comment(before), everywhere)
			blocks = append(blocks, block{line: n + 1, language: fence, mark: mark})
			inside = true
		case isFence:
			inside = false
		case inside:
			blocks[len(blocks)-1].text += line + "\n"
		}
		if line != "" {
			before = line
		}
		if mark, found := strings.CutPrefix(comment(line), "document: "); found && !inside {
			everywhere = mark
		}
	}
	if inside {
		t.Errorf("%s: a block is not closed", document)
	}
	return blocks
}

// comment is the text of a line that is a comment and nothing else.
func comment(line string) string {
	text, begins := strings.CutPrefix(strings.TrimSpace(line), "<!-- ")
	text, ends := strings.CutSuffix(text, " -->")
	if !begins || !ends {
		return ""
	}
	return text
}

// codeBlocks returns the blocks of a document in one language that are tested.
func codeBlocks(t *testing.T, document, language string) []string {
	t.Helper()
	var texts []string
	for _, b := range blocksOf(t, document) {
		if b.language == language && notRun[b.mark] == "" {
			texts = append(texts, b.text)
		}
	}
	return texts
}

// shellLines returns the commands of the sh blocks of a document that are run.
func shellLines(t *testing.T, document string) []string {
	t.Helper()
	var lines []string
	for _, text := range codeBlocks(t, document, "sh") {
		lines = append(lines, commandsOf(text)...)
	}
	return lines
}

func commandsOf(text string) []string {
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// Every block says its language, and a mark above one is a known reason.
func TestDocumentsMarkTheirBlocks(t *testing.T) {
	t.Parallel()
	tested, marked := 0, map[string]int{}
	for _, document := range documents(t) {
		for _, b := range blocksOf(t, document) {
			switch {
			case b.language == "":
				t.Errorf("%s:%d: a block without a language: text, if nothing else", document, b.line)
			case b.mark != "" && strings.HasPrefix(b.mark, "not ") && notRun[b.mark] == "":
				t.Errorf("%s:%d: %q is no reason that TestDocumentsMarkTheirBlocks knows", document, b.line, b.mark)
			case notRun[b.mark] != "":
				marked[b.mark]++
			case b.language == "sh" || b.language == "yaml":
				tested++
			}
		}
	}
	t.Logf("%d blocks are run or loaded", tested)
	for reason, n := range marked {
		t.Logf("%d blocks are %s: %s", n, reason, notRun[reason])
	}
	if tested < 40 {
		t.Errorf("only %d blocks are tested", tested)
	}
}

// Commands of the gateway that no test runs parse at least: the command is there,
// and so is each of its flags.
func TestDocumentsNameCommandsThatExist(t *testing.T) {
	t.Parallel()
	inline := regexp.MustCompile("`(?:bin/)?gateway ([a-z][^`]*)`")
	checked := 0
	for _, document := range documents(t) {
		if document == "CHANGELOG.md" || document == "docs/commands.md" { // tells of versions as they were; is made of the commands
			continue
		}
		var commands []string
		for _, b := range blocksOf(t, document) {
			for _, line := range commandsOf(b.text) {
				line = strings.TrimPrefix(line, "$ ")
				if rest, ok := strings.CutPrefix(strings.TrimPrefix(line, "bin/"), "gateway "); ok && b.language != "yaml" {
					commands = append(commands, rest)
				}
			}
		}
		for _, match := range inline.FindAllStringSubmatch(readDocument(t, document), -1) {
			commands = append(commands, match[1])
		}
		for _, command := range commands {
			checked++
			if reason := unparsable(command); reason != "" {
				t.Errorf("%s: gateway %s: %s", document, command, reason)
			}
		}
	}
	if checked < 60 {
		t.Errorf("only %d commands were looked at", checked)
	}
}

// unparsable says why the gateway would refuse a command line before it runs it.
func unparsable(line string) string {
	line, _, _ = strings.Cut(line, " #")
	line, _, _ = strings.Cut(line, "…") // whatever follows
	var words []string
	for _, word := range regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`).FindAllString(line, -1) {
		if strings.ContainsAny(word[:1], "|>&;") {
			break // the next command of the line
		}
		word, _, _ = strings.Cut(strings.Trim(word, `'"`), "|") // list|retry: one of them
		words = append(words, word)
	}
	cmd, rest, err := program{}.rootCommand().Find(words)
	if err != nil {
		return err.Error()
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err.Error()
	}
	if args := cmd.Flags().Args(); cmd.HasSubCommands() && len(args) > 0 && cmd.Name() != "explain" {
		return "there is no " + args[0]
	}
	return ""
}
