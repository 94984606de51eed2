// Registers, looks up, compares and deletes with franz-go's registry client.
// Arguments: the URL of the registry, host:port of the broker (not used).
package main

import (
	"context"
	"fmt"
	"os"
	"reflect"

	"github.com/twmb/franz-go/pkg/sr"
)

const (
	v1  = `{"type":"record","name":"G","fields":[{"name":"a","type":"int"}]}`
	v2  = `{"type":"record","name":"G","fields":[{"name":"a","type":"int"},{"name":"b","type":"int","default":0}]}`
	bad = `{"type":"record","name":"G","fields":[{"name":"c","type":"int"}]}`
)

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func check(what string, got, expected any) {
	if !reflect.DeepEqual(got, expected) {
		fmt.Fprintf(os.Stderr, "%s: %v and not %v\n", what, got, expected)
		os.Exit(1)
	}
}

func main() {
	ctx := context.Background()
	client := must(sr.NewClient(sr.URLs(os.Args[1])))
	first := must(client.CreateSchema(ctx, "go-value", sr.Schema{Schema: v1}))
	check("version", first.Version, 1)
	check("again", must(client.CreateSchema(ctx, "go-value", sr.Schema{Schema: v1})).ID, first.ID)
	check("next", must(client.CreateSchema(ctx, "go-value", sr.Schema{Schema: v2})).Version, 2)
	check("lookup", must(client.LookupSchema(ctx, "go-value", sr.Schema{Schema: v1})).Version, 1)
	check("by id", must(client.SchemaByID(ctx, first.ID)).Schema, v1)
	check("good", must(client.CheckCompatibility(ctx, "go-value", -1, sr.Schema{Schema: v2})).Is, true)
	check("bad", must(client.CheckCompatibility(ctx, "go-value", -1, sr.Schema{Schema: bad})).Is, false)
	if _, err := client.CreateSchema(ctx, "go-value", sr.Schema{Schema: bad}); err == nil {
		check("incompatible", "taken", "refused")
	}
	for _, result := range client.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatFull}, "go-value") {
		must(result, result.Err)
		check("level", result.Level, sr.CompatFull)
	}
	for _, result := range client.SetMode(ctx, sr.ModeReadOnly, "go-value") {
		must(result, result.Err)
	}
	if _, err := client.DeleteSubject(ctx, "go-value", sr.SoftDelete); err == nil {
		check("read-only", "deleted", "refused")
	}
	for _, result := range client.ResetMode(ctx, "go-value") {
		must(result, result.Err)
	}
	check("deleted", must(client.DeleteSubject(ctx, "go-value", sr.SoftDelete)), []int{1, 2})
	check("deleted", must(client.DeleteSubject(ctx, "go-value", sr.HardDelete)), []int{1, 2})
	fmt.Println("done")
}
