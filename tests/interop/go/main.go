// franz-go: see ../README.md.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	partitions = 4
	perRound   = 100
)

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

var (
	ctx       = context.Background()
	bootstrap = os.Args[1]
	name      = os.Args[2]
)

func newClient(options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(bootstrap))...)
	must("client", err)
	return client
}

func must(step string, err error) {
	if err != nil {
		log.Fatalf("%s: %v", step, err)
	}
}

func produce(client *kgo.Client, round string) {
	var records []*kgo.Record
	for number := range perRound {
		record := &kgo.Record{
			Topic: name,
			Key:   fmt.Appendf(nil, "key-%d", number%10),
			Headers: []kgo.RecordHeader{
				{Key: "round", Value: []byte(round)},
				{Key: "n", Value: []byte(strconv.Itoa(number))},
			},
		}
		if number != 7 {
			record.Value = fmt.Appendf(nil, "%s-%d", round, number)
		}
		records = append(records, record)
	}
	must("produce "+round, client.ProduceSync(ctx, records...).FirstErr())
}

func checkEverything(step string, got []*kgo.Record, rounds ...string) {
	var identities, wanted []string
	last := map[string]int{}
	for _, record := range got {
		round := string(record.Headers[0].Value)
		number, err := strconv.Atoi(string(record.Headers[1].Value))
		must(step, err)
		identities = append(identities, fmt.Sprintf("%s-%d", round, number))
		if key := fmt.Sprintf("key-%d", number%10); string(record.Key) != key {
			log.Fatalf("%s: %s-%d has key %q", step, round, number, record.Key)
		}
		if number == 7 && record.Value != nil || number != 7 && string(record.Value) != fmt.Sprintf("%s-%d", round, number) {
			log.Fatalf("%s: %s-%d has value %q", step, round, number, record.Value)
		}
		of := round + string(record.Key)
		if before, seen := last[of]; seen && before >= number {
			log.Fatalf("%s: records of %s came in another order than they were sent", step, of)
		}
		last[of] = number
	}
	for _, round := range rounds {
		for number := range perRound {
			wanted = append(wanted, fmt.Sprintf("%s-%d", round, number))
		}
	}
	sort.Strings(identities)
	sort.Strings(wanted)
	if fmt.Sprint(identities) != fmt.Sprint(wanted) {
		log.Fatalf("%s: expected %v, got %v", step, wanted, identities)
	}
}

// A consumer of the group, its partitions and what it has read.
type member struct {
	client *kgo.Client
	mutex  sync.Mutex
	owned  map[int32]bool
	got    []*kgo.Record
}

func newMember() *member {
	m := &member{owned: map[int32]bool{}}
	take := func(has bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, changed map[string][]int32) {
			m.mutex.Lock()
			defer m.mutex.Unlock()
			for _, partition := range changed[name] {
				if has {
					m.owned[partition] = true
				} else {
					delete(m.owned, partition)
				}
			}
		}
	}
	m.client = newClient(
		kgo.ConsumerGroup(name),
		kgo.ConsumeTopics(name),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.HeartbeatInterval(300*time.Millisecond),
		kgo.OnPartitionsAssigned(take(true)),
		kgo.OnPartitionsRevoked(take(false)),
		kgo.OnPartitionsLost(take(false)),
	)
	go func() {
		for {
			fetches := m.client.PollFetches(ctx)
			if fetches.IsClientClosed() {
				return
			}
			m.mutex.Lock()
			m.got = append(m.got, fetches.Records()...)
			m.mutex.Unlock()
		}
	}()
	return m
}

func (m *member) ownedCount() int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return len(m.owned)
}

// distinct gives what the members read, each offset once, in the order of offsets.
func distinct(members []*member) []*kgo.Record {
	seen := map[[2]int64]*kgo.Record{}
	for _, m := range members {
		m.mutex.Lock()
		for _, record := range m.got {
			seen[[2]int64{int64(record.Partition), record.Offset}] = record
		}
		m.mutex.Unlock()
	}
	var records []*kgo.Record
	for _, record := range seen {
		records = append(records, record)
	}
	sort.Slice(records, func(i, j int) bool { return records[i].Offset < records[j].Offset })
	return records
}

func until(condition func() bool) {
	for !condition() {
		time.Sleep(20 * time.Millisecond)
	}
}

func commit(members []*member) {
	for _, m := range members {
		m.mutex.Lock()
		records := m.got
		m.got = nil
		m.mutex.Unlock()
		must("commit", m.client.CommitRecords(ctx, records...))
	}
}

func main() {
	admin := kadm.NewClient(newClient())
	defer admin.Close()
	_, err := admin.CreateTopic(ctx, partitions, 1, nil, name)
	must("create topic", err)

	var rounds []string
	for round, codec := range codecs {
		producer := newClient(kgo.ProducerBatchCompression(codec))
		produce(producer, round)
		producer.Close()
		rounds = append(rounds, round)
	}

	reader := newClient(kgo.ConsumeTopics(name), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var got []*kgo.Record
	for len(got) < len(rounds)*perRound {
		fetches := reader.PollFetches(ctx)
		must("fetch", fetches.Err())
		got = append(got, fetches.Records()...)
	}
	reader.Close()
	checkEverything("from the beginning", got, rounds...)

	producer := newClient()
	members := []*member{newMember(), newMember()}
	until(func() bool { return members[0].ownedCount() == 2 && members[1].ownedCount() == 2 })
	// A partition that moved may have been read by both.
	until(func() bool { return len(distinct(members)) == len(rounds)*perRound })
	checkEverything("two members", distinct(members), rounds...)
	// A member must not commit what it no longer owns: commit the ends instead.
	ends, err := admin.ListEndOffsets(ctx, name)
	must("end offsets", err)
	for _, m := range members {
		m.mutex.Lock()
		offsets := map[int32]kgo.EpochOffset{}
		for partition := range m.owned {
			end, _ := ends.Lookup(name, partition)
			offsets[partition] = kgo.EpochOffset{Epoch: -1, Offset: end.Offset}
		}
		m.got = nil
		m.mutex.Unlock()
		m.client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{name: offsets}, nil)
	}

	fmt.Println("restart")
	_, err = bufio.NewReader(os.Stdin).ReadString('\n')
	must("standard input", err)

	produce(producer, "after")
	until(func() bool { return len(distinct(members)) >= perRound })
	checkEverything("after the restart", distinct(members), "after")
	commit(members)
	for _, m := range members {
		m.client.Close()
	}

	// Whoever comes next finds nothing left to read.
	ends, err = admin.ListEndOffsets(ctx, name)
	must("end offsets", err)
	committed, err := admin.FetchOffsets(ctx, name)
	must("committed offsets", err)
	ends.Each(func(end kadm.ListedOffset) {
		if at, _ := committed.Lookup(name, end.Partition); at.At != end.Offset {
			log.Fatalf("committed offset of %d is %d, its end is %d", end.Partition, at.At, end.Offset)
		}
	})
	producer.Close()
	fmt.Println("done")
}
