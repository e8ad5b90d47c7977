// Every profile that @zone-eu/mobileconfig writes and signs: SIGNER.crt CHAIN SIGNER.key FOLDER.
const fs = require('fs');
const path = require('path');
const mobileconfig = require('@zone-eu/mobileconfig');

const [cert, ca, key, folder] = process.argv.slice(2);
const keys = { cert: fs.readFileSync(cert), ca: fs.readFileSync(ca), key: fs.readFileSync(key) };
const odd = 'Ünïcödé <&> "quoted" ]]> $USER';
const common = {
    emailAddress: 'anna@example.com',
    organization: odd,
    identifier: 'com.example.mail',
    displayName: odd,
    contentUuid: '0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D01',
    plistUuid: '0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D02',
};
const server = { hostname: 'mail.example.com', secure: true, username: 'anna', password: 'hunter2 <&>' };
const own = {
    PayloadType: 'Configuration',
    PayloadVersion: 1,
    PayloadIdentifier: 'com.example.own',
    PayloadUUID: '0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D03',
    PayloadDisplayName: odd,
    PayloadContent: [
        {
            PayloadType: 'com.example.agent',
            PayloadVersion: 1,
            PayloadIdentifier: 'com.example.own.agent',
            PayloadUUID: '0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D04',
            Real: 1.5,
            Data: Buffer.from([0, 1, 255]),
            Date: new Date(Date.UTC(2027, 1, 3, 4, 5, 6)),
            Nested: { Empty: [], Text: odd },
        },
    ],
};

const made = {
    email: [mobileconfig.getEmailConfig, mobileconfig.getSignedEmailConfig, { ...common, imap: server, smtp: server }],
    carddav: [mobileconfig.getCardDAVConfig, mobileconfig.getSignedCardDAVConfig, { ...common, dav: server }],
    caldav: [mobileconfig.getCalDAVConfig, mobileconfig.getSignedCalDAVConfig, { ...common, dav: server }],
    wifi: [
        mobileconfig.getWifiConfig,
        mobileconfig.getSignedWifiConfig,
        { ...common, wifi: { encryptionType: 'WPA2', ssid: odd, password: 'hunter2 <&>' } },
    ],
};

const save = (name) => (error, bytes) => {
    if (error) {
        throw error;
    }
    fs.writeFileSync(path.join(folder, name), bytes);
};
for (const [name, [plain, signed, options]] of Object.entries(made)) {
    fs.writeFileSync(path.join(folder, `${name}.xml`), plain(options));
    // Without a signing time: 2.4.6 takes it twice, and where a second passes in between, its signature does not hold.
    signed({ ...options, keys }, save(`${name}.der`));
}
mobileconfig.getSignedConfig(own, keys, save('own.der'));
mobileconfig.getSignedConfig(own, { ...keys, hashAlg: 'sha512', sigAlg: 'SHA512withRSA' }, save('own-512.der'));
