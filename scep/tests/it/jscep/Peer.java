// jscep's client, one step after the other; each says on a line what came of it.
//
//     java -cp '.peers/jscep/*' Peer.java URL CHALLENGE

import java.math.BigInteger;
import java.net.URL;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.cert.CertStore;
import java.security.cert.X509CRL;
import java.security.cert.X509Certificate;
import java.util.Date;
import javax.security.auth.x500.X500Principal;
import org.bouncycastle.asn1.DERPrintableString;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;
import org.jscep.client.Client;
import org.jscep.client.EnrollmentResponse;
import org.jscep.client.verification.OptimisticCertificateVerifier;

public class Peer {
    static final X500Principal NAME = new X500Principal("CN=device7");
    static Client client;

    public static void main(String[] arguments) throws Exception {
        client = new Client(new URL(arguments[0]), new OptimisticCertificateVerifier());
        say("capabilities", client.getCaCapabilities().toString());
        KeyPair keys = keys();
        X509Certificate temporary = temporary(keys);
        PKCS10CertificationRequest request = request(keys, arguments[1]);
        EnrollmentResponse response = client.enrol(temporary, keys.getPrivate(), request);
        while (response.isPending()) {
            say("pending", "");
            response = client.poll(temporary, keys.getPrivate(), NAME, response.getTransactionId());
        }
        if (response.isFailure()) {
            say("refused", response.getFailInfo().toString());
            return;
        }
        X509Certificate certificate = certificate(response.getCertStore());
        say("enrolled", certificate.getSubjectX500Principal().getName());

        BigInteger serial = certificate.getSerialNumber();
        CertStore found = client.getCertificate(certificate, keys.getPrivate(), serial);
        say("found", Boolean.toString(certificate.equals(certificate(found))));
        X500Principal issuer = certificate.getIssuerX500Principal();
        X509CRL list = client.getRevocationList(certificate, keys.getPrivate(), issuer, serial);
        say("list", list.getIssuerX500Principal().getName());

        if (client.getCaCapabilities().isRolloverSupported()) {
            X509Certificate rollover = certificate(client.getRolloverCertificate());
            say("next", rollover.getSubjectX500Principal().getName());
        }
        KeyPair next = keys();
        response = client.enrol(certificate, keys.getPrivate(), request(next, null));
        if (response.isSuccess()) {
            boolean renewed = next.getPublic().equals(certificate(response.getCertStore()).getPublicKey());
            say("renewed", Boolean.toString(renewed));
        } else {
            say("not renewed", response.isFailure() ? response.getFailInfo().toString() : "pending");
        }
    }

    static void say(String what, String more) {
        System.out.println((what + " " + more).trim());
    }

    static X509Certificate certificate(CertStore store) throws Exception {
        return (X509Certificate) store.getCertificates(null).iterator().next();
    }

    static KeyPair keys() throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
        generator.initialize(2048);
        return generator.generateKeyPair();
    }

    static ContentSigner signer(KeyPair keys) throws Exception {
        return new JcaContentSignerBuilder("SHA256withRSA").build(keys.getPrivate());
    }

    static X509Certificate temporary(KeyPair keys) throws Exception {
        long now = System.currentTimeMillis(), day = 24 * 3600 * 1000L;
        JcaX509v3CertificateBuilder builder = new JcaX509v3CertificateBuilder(
            NAME, BigInteger.ONE, new Date(now - day), new Date(now + day), NAME, keys.getPublic());
        return new JcaX509CertificateConverter().getCertificate(builder.build(signer(keys)));
    }

    static PKCS10CertificationRequest request(KeyPair keys, String challenge) throws Exception {
        JcaPKCS10CertificationRequestBuilder builder =
            new JcaPKCS10CertificationRequestBuilder(NAME, keys.getPublic());
        if (challenge != null) {
            builder.addAttribute(
                PKCSObjectIdentifiers.pkcs_9_at_challengePassword, new DERPrintableString(challenge));
        }
        return builder.build(signer(keys));
    }
}
