-- What granted a certificate: 0 a challenge, 1 the certificate that it renews, 2 something that is not kept
-- here, 3 an order of ACME. NULL where it was kept before this was.
ALTER TABLE scep_certificate ADD COLUMN granted INTEGER;
