// Produce, consume, commit with net/http.
//
//	go run examples/go/main.go [http://localhost:8082]
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
)

const (
	topic    = "go-round-trip"
	jsonType = "application/vnd.kafka.json.v2+json"
	v2       = "application/vnd.kafka.v2+json"
)

type record struct {
	Key       any   `json:"key"`
	Value     any   `json:"value"`
	Partition int32 `json:"partition,omitempty"`
	Offset    int64 `json:"offset,omitempty"`
}

// call makes one request; anything but 2xx ends the program with what the server said.
func call(method, url, contentType, accept string, body, answer any) {
	var payload []byte
	if body != nil {
		payload, _ = json.Marshal(body)
	}
	request, err := http.NewRequest(method, url, bytes.NewReader(payload))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	if response.StatusCode/100 != 2 {
		log.Fatalf("%s %s: %s %s", method, url, response.Status, text)
	}
	if answer != nil {
		if err := json.Unmarshal(text, answer); err != nil {
			log.Fatal(err)
		}
	}
}

func main() {
	url := "http://localhost:8082"
	if fromEnvironment := os.Getenv("OTTLA_REST_URL"); fromEnvironment != "" {
		url = fromEnvironment
	}
	if len(os.Args) > 1 {
		url = os.Args[1]
	}
	group := fmt.Sprintf("go-round-trip-%d", os.Getpid())

	// Produce two records. Each answer names the partition and offset of its record.
	records := map[string]any{"records": []map[string]any{
		{"key": "k1", "value": map[string]string{"foo": "bar"}},
		{"key": "k2", "value": []int{1, 2, 3}},
	}}
	var produced struct {
		Offsets []struct {
			Partition int32 `json:"partition"`
			Offset    int64 `json:"offset"`
		} `json:"offsets"`
	}
	call("POST", url+"/topics/"+topic, jsonType, "", records, &produced)
	fmt.Println("produced:", produced.Offsets)

	// A consumer instance is a member of a group that lives in the server.
	var instance struct {
		BaseURI string `json:"base_uri"`
	}
	settings := map[string]string{"format": "json", "auto.offset.reset": "earliest"}
	call("POST", url+"/consumers/"+group, v2, "", settings, &instance)
	subscription := map[string][]string{"topics": {topic}}
	call("POST", instance.BaseURI+"/subscription", v2, "", subscription, nil)

	// Read, use, commit: what was read counts as done.
	var consumed []record
	call("GET", instance.BaseURI+"/records", v2, jsonType, nil, &consumed)
	for _, record := range consumed {
		fmt.Println("consumed:", record.Partition, record.Offset, record.Key, record.Value)
	}
	call("POST", instance.BaseURI+"/offsets", v2, "", nil, nil)

	// An instance that is not deleted leaves its group after a few minutes by itself.
	call("DELETE", instance.BaseURI, v2, "", nil, nil)
	fmt.Println("done")
}
