package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"iqgateway/auth"
)

const maxKeyLine = 4096

func (p program) keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Make keys for callers, and show those of a running fleet",
		Args:  subcommandRequired,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.keyNewCommand(), p.keyHashCommand(), p.keyListCommand())
	return cmd
}

func (p program) keyNewCommand() *cobra.Command {
	var caller, id, expires string
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Make a new random key",
		Long: `Make a new random key. The key goes to the application (it is shown once, on
standard output); only its SHA-256 digest belongs into the configuration (on
standard error, ready to paste).`,
		Example: `  gateway key new --caller storefront --id storefront-2027 --expires 2027-12-31
  gateway key new --caller storefront 2>callers.d/storefront.yaml | secret-store put storefront-key`,
		Args: exactArgs(0, "no argument"),
		RunE: func(*cobra.Command, []string) error {
			if id == "" {
				id = caller + "-1"
			}
			if err := checkKeyFlags(caller, id, expires); err != nil {
				return usageError{err}
			}
			key, digest := auth.NewKey()
			if _, err := fmt.Fprintln(p.stdout, key); err != nil {
				return err
			}
			until := ""
			if expires != "" {
				until = fmt.Sprintf(", expires: %q", expires)
			}
			_, err := fmt.Fprintf(p.stderr, "callers:\n  %s:\n    keys:\n      - {id: %s, sha256: %s%s}\n", caller, id, digest, until)
			return err
		},
	}
	cmd.Flags().StringVar(&caller, "caller", "my-application", "name of the caller")
	cmd.Flags().StringVar(&id, "id", "", "public id of the key in logs (default CALLER-1)")
	cmd.Flags().StringVar(&expires, "expires", "", "last day of the key, as 2027-12-31")
	return cmd
}

// checkKeyFlags refuses what the configuration would refuse later.
func checkKeyFlags(caller, id, expires string) error {
	name := regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	if !name.MatchString(caller) {
		return fmt.Errorf("--caller %q: a name has lower-case letters, digits and hyphens", caller)
	}
	if !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`).MatchString(id) {
		return fmt.Errorf("--id %q: an id has letters, digits, '.', '_' and '-'", id)
	}
	if expires == "" {
		return nil
	}
	if _, err := time.Parse(time.DateOnly, expires); err != nil {
		if _, err := time.Parse(time.RFC3339, expires); err != nil {
			return fmt.Errorf("--expires %q: want a day as 2027-12-31, or an instant as 2027-12-31T12:00:00Z", expires)
		}
	}
	return nil
}

func (p program) keyHashCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "hash",
		Short:   "Print the SHA-256 digest of a key read from standard input",
		Example: `  secret-store get storefront-key | gateway key hash`,
		Args:    exactArgs(0, "the key on standard input, not as an argument (others could see it)"),
		RunE: func(*cobra.Command, []string) error {
			line, err := bufio.NewReader(io.LimitReader(p.stdin, maxKeyLine)).ReadString('\n')
			key := strings.TrimRight(line, "\r\n")
			if key == "" {
				return usageError{errors.Join(errors.New("no key on standard input"), err)}
			}
			_, err = fmt.Fprintln(p.stdout, auth.DigestOf(key))
			return err
		},
	}
}
