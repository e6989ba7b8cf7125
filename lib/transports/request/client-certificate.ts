import type { X509Certificate } from "node:crypto";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";

/**
 * The certificate that the other end of a TLS socket has shown, where the server asks for one (`requestCert` of
 * `node:tls`): verified by the server's `ca`, or why it is not. What is not verified cannot be read, since anybody can
 * write any name into it.
 */
export type ClientCertificate =
	| { readonly isVerified: true; readonly x509: X509Certificate }
	| {
			readonly isVerified: false;
			/** OpenSSL's name of it, such as `CERT_HAS_EXPIRED` or `UNABLE_TO_VERIFY_LEAF_SIGNATURE`. */
			readonly problem: string;
	  };

/** The certificate of a socket's other end; undefined without TLS, and where none was asked for or shown. */
export function certificateOf(socket: Duplex): ClientCertificate | undefined {
	if (!(socket instanceof TLSSocket) || !(socket.authorized || socket.authorizationError)) return undefined;
	// Node takes a resumed session (TLS 1.3) and one by a shared key for authorized also where nobody has shown any.
	const x509 = socket.getPeerX509Certificate();
	if (!x509) return undefined;
	if (socket.authorized) return { isVerified: true, x509 };
	return { isVerified: false, problem: String(socket.authorizationError) };
}
