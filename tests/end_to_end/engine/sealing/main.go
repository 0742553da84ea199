// Seals and unseals with Sealed Secrets' own code, as kubeseal and the controller do.
//
//	sealing seal CERTIFICATE < Secret.json > SealedSecret.json
//	sealing unseal KEY... < SealedSecret.json > Secret.json
package main

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/bitnami-labs/sealed-secrets/pkg/apis/sealedsecrets/v1alpha1"
	"github.com/bitnami-labs/sealed-secrets/pkg/crypto"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) < 2 {
		return fmt.Errorf("sealing seal CERTIFICATE | unseal KEY...")
	}
	scheme := runtime.NewScheme()
	if err := core.AddToScheme(scheme); err != nil {
		return err
	}
	codecs := serializer.NewCodecFactory(scheme)
	given, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	if arguments[0] == "seal" {
		return seal(codecs, arguments[1], given)
	}
	return unseal(codecs, arguments[1:], given)
}

func seal(codecs serializer.CodecFactory, path string, given []byte) error {
	pem, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	certificates, err := cert.ParseCertsPEM(pem)
	if err != nil {
		return err
	}
	var secret core.Secret
	if err := json.Unmarshal(given, &secret); err != nil {
		return err
	}
	sealed, err := v1alpha1.NewSealedSecret(codecs, certificates[0].PublicKey.(*rsa.PublicKey), &secret)
	if err != nil {
		return err
	}
	sealed.TypeMeta.APIVersion = "bitnami.com/v1alpha1"
	sealed.TypeMeta.Kind = "SealedSecret"
	return json.NewEncoder(os.Stdout).Encode(sealed)
}

func unseal(codecs serializer.CodecFactory, paths []string, given []byte) error {
	keys := map[string]*rsa.PrivateKey{}
	for _, path := range paths {
		pem, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		key, err := keyutil.ParsePrivateKeyPEM(pem)
		if err != nil {
			return err
		}
		private := key.(*rsa.PrivateKey)
		fingerprint, err := crypto.PublicKeyFingerprint(&private.PublicKey)
		if err != nil {
			return err
		}
		keys[fingerprint] = private
	}
	var sealed v1alpha1.SealedSecret
	if err := json.Unmarshal(given, &sealed); err != nil {
		return err
	}
	secret, err := sealed.Unseal(codecs, keys)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(secret)
}
