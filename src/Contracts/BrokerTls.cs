using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace TaskQueue.Contracts;

/// <summary>TLS to RabbitMQ (<c>amqps://</c>). Certificates and keys are files, read again for each new connection.</summary>
public sealed class BrokerTls
{
    /// <summary>PEM file with the certificate authorities that may sign the broker's certificate.</summary>
    /// <value>Null: the authorities trusted by the machine.</value>
    public string? CaCertificate { get; set; }

    /// <summary>PEM file with the client certificate.</summary>
    /// <value>Null: no client certificate.</value>
    public string? Certificate { get; set; }

    /// <summary>PEM file with the unencrypted key of <see cref="Certificate"/>.</summary>
    public string? Key { get; set; }

    /// <summary>Required name in the broker's certificate.</summary>
    /// <value>Null: the host of the address.</value>
    public string? ServerName { get; set; }

    /// <summary>Whether anything is set.</summary>
    public bool IsSet => (CaCertificate ?? Certificate ?? Key ?? ServerName) is not null;

    /// <summary>The validation error, or null. Reads the files.</summary>
    /// <param name="address">Address of the broker.</param>
    public string? ProblemWith(Uri? address)
    {
        if (!IsSet)
            return null;
        if (address?.Scheme != "amqps")
            return "needs an address that begins with amqps://";
        if (Certificate is null != Key is null)
            return "needs both Certificate and Key, or neither";
        return Unusable(nameof(CaCertificate), CaCertificate, () => ReadAuthorities())
            ?? Unusable(nameof(Certificate), Certificate, () => ReadCertificate());
    }

    /// <summary>Whether the certificate is also the login: the address names no user (SASL EXTERNAL).</summary>
    /// <param name="address">Address of the broker.</param>
    public bool IsLogin(Uri address)
    {
        ArgumentNullException.ThrowIfNull(address);
        return Certificate is not null && address.UserInfo.Length == 0;
    }

    /// <summary>
    /// The broker user of a connection, with which its messages are signed: that of the address, or the CN of a certificate that is the
    /// login.
    /// </summary>
    /// <param name="address">Address of the broker.</param>
    public string UserOf(Uri address)
    {
        ArgumentNullException.ThrowIfNull(address);
        if (address.UserInfo.Split(':')[0] is { Length: > 0 } user)
            return Uri.UnescapeDataString(user);
        if (!IsLogin(address))
            return DefaultUser;
        using var certificate = ReadCertificate();
        return certificate!.GetNameInfo(X509NameType.SimpleName, forIssuer: false);
    }

    private const string DefaultUser = "guest";

    /// <summary>Reads the client certificate with its key, or returns null.</summary>
    public X509Certificate2? ReadCertificate()
    {
        if (Certificate is null)
            return null;
        var certificate = X509Certificate2.CreateFromPemFile(Certificate, Key);
        if (!OperatingSystem.IsWindows())
            return certificate;
        using (certificate) // TLS on Windows does not accept an ephemeral key
            return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
    }

    /// <summary>
    /// Validates the broker's certificate: its name always, and its authority, one of <see cref="CaCertificate"/> or of the machine.
    /// </summary>
    public bool Accepts(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (certificate is null || (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) != SslPolicyErrors.None)
            return false;
        return CaCertificate is null ? errors == SslPolicyErrors.None : IsSignedByOurs(certificate, chain);
    }

    private bool IsSignedByOurs(X509Certificate certificate, X509Chain? sent)
    {
        using var leaf = X509CertificateLoader.LoadCertificate(certificate.GetRawCertData());
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid("1.3.6.1.5.5.7.3.1")); // server authentication
        chain.ChainPolicy.CustomTrustStore.AddRange(ReadAuthorities());
        if (sent is not null)
            chain.ChainPolicy.ExtraStore.AddRange(sent.ChainPolicy.ExtraStore); // intermediate certificates
        return chain.Build(leaf);
    }

    private X509Certificate2Collection ReadAuthorities()
    {
        var authorities = new X509Certificate2Collection();
        if (CaCertificate is not null)
            authorities.ImportFromPemFile(CaCertificate);
        return CaCertificate is null || authorities.Count > 0 ? authorities
            : throw new CryptographicException("it contains no PEM certificate");
    }

    private static string? Unusable(string key, string? path, Func<object?> read)
    {
        try
        {
            _ = read();
            return null;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            return $"has a {key} {path} that cannot be used: {fault.Message.ReplaceLineEndings(" ")}";
        }
    }
}
