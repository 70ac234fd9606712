// Command cluster runs etcd and kube-apiserver in one process, for the tests of argo_retention.
//
// It listens on loopback only, keeps everything in one folder, and ends when its standard input is closed or it
// gets a signal, so that nothing is left behind by a test that was killed.
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

// ready is what is printed, as one line of JSON, when the server answers.
type ready struct {
	URL     string `json:"url"`
	CAFile  string `json:"ca_file"`
	EtcdURL string `json:"etcd_url"`
}

func main() {
	folder := flag.String("folder", "", "folder for everything; empty, or of an earlier start")
	port := flag.Int("port", 0, "port of the API server")
	etcdPort := flag.Int("etcd-port", 0, "port of etcd")
	tokens := flag.String("tokens", "", "CSV of token,user,uid,groups")
	kubelet := flag.String("kubelet-ca", "", "CA of the stand-in kubelet")
	flag.Parse()
	if *folder == "" || *port == 0 || *etcdPort == 0 || *tokens == "" {
		fmt.Fprintln(os.Stderr, "usage: cluster -folder DIR -port N -etcd-port N -tokens FILE [-- FLAG OF KUBE-APISERVER ...]")
		os.Exit(2)
	}
	if err := run(*folder, *port, *etcdPort, *tokens, *kubelet, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

func run(folder string, port, etcdPort int, tokens, kubelet string, more []string) error {
	etcdURL, stopEtcd, err := startEtcd(filepath.Join(folder, "etcd"), etcdPort)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer stopEtcd()
	key := filepath.Join(folder, "service-accounts.key")
	if err := writeKey(key); err != nil {
		return err
	}
	certificates := filepath.Join(folder, "certificates")
	arguments := []string{
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(port),
		"--cert-dir=" + certificates,
		"--etcd-servers=" + etcdURL,
		"--authorization-mode=RBAC",
		"--token-auth-file=" + tokens,
		"--service-account-issuer=https://argo-retention.test",
		"--service-account-key-file=" + key,
		"--service-account-signing-key-file=" + key,
		"--service-cluster-ip-range=10.0.0.0/24",
		"--disable-admission-plugins=ServiceAccount",
		"--endpoint-reconciler-type=none",
		"--etcd-compaction-interval=0",
		"--kubelet-preferred-address-types=InternalIP",
	}
	if kubelet != "" {
		arguments = append(arguments, "--kubelet-certificate-authority="+kubelet)
	}
	command := app.NewAPIServerCommand()
	command.SetArgs(append(arguments, more...))
	failed := make(chan error, 1)
	go func() { failed <- command.Execute() }()
	caFile := filepath.Join(certificates, "apiserver.crt")
	address := "https://127.0.0.1:" + strconv.Itoa(port)
	if err := waitReady(address, caFile, failed); err != nil {
		return err
	}
	line, err := json.Marshal(ready{URL: address, CAFile: caFile, EtcdURL: etcdURL})
	if err != nil {
		return err
	}
	fmt.Println(string(line))
	return waitForEnd(failed)
}

func startEtcd(folder string, port int) (string, func(), error) {
	config := embed.NewConfig()
	config.Dir = folder
	config.LogLevel = "error"
	config.UnsafeNoFsync = true
	client := url.URL{Scheme: "http", Host: "127.0.0.1:" + strconv.Itoa(port)}
	peer := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		return "", nil, err
	}
	select {
	case <-server.Server.ReadyNotify():
		return client.String(), server.Close, nil
	case <-time.After(time.Minute):
		server.Close()
		return "", nil, fmt.Errorf("not ready after a minute")
	}
}

func writeKey(path string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	return os.WriteFile(path, pem.EncodeToMemory(block), 0o600)
}

// waitReady asks /readyz; the server's own certificate is made at its start, so it is read again each time.
func waitReady(address, caFile string, failed <-chan error) error {
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		select {
		case err := <-failed:
			return fmt.Errorf("kube-apiserver ended: %w", err)
		default:
		}
		certificate, err := os.ReadFile(caFile)
		if err != nil {
			continue
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(certificate)
		client := http.Client{
			Timeout:   5 * time.Second,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}},
		}
		response, err := client.Get(address + "/readyz")
		if err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return nil
		}
	}
	return fmt.Errorf("kube-apiserver is not ready after two minutes")
}

// waitForEnd returns when whoever started us closed our input, a signal came, or the server failed.
func waitForEnd(failed <-chan error) error {
	closed := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(closed)
	}()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-closed:
		return nil
	case <-signals:
		return nil
	case err := <-failed:
		return fmt.Errorf("kube-apiserver ended: %w", err)
	}
}
