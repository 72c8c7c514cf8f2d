using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace TaskQueue.Tests.Servers;

/// <summary>A test's certificate authority, which signs through an intermediate one.</summary>
internal sealed class TestCa : IDisposable
{
    private static readonly DateTimeOffset From = TimeProvider.System.GetUtcNow().AddHours(-1);
    private static readonly DateTimeOffset Until = From.AddDays(2);

    private readonly X509Certificate2 _root;
    private readonly X509Certificate2 _intermediate;

    public TestCa(string name)
    {
        using var rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        _root = Authority($"{name} root", rootKey, request => request.CreateSelfSigned(From, Until));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var signed = Authority($"{name} intermediate", key, request => request.Create(_root, From, Until, Serial()));
        _intermediate = signed.CopyWithPrivateKey(key);
    }

    /// <summary>The root alone, in PEM: what clients trust.</summary>
    public string RootPem => _root.ExportCertificatePem();

    /// <summary>The root with the intermediate one: what servers need whose clients send no chain.</summary>
    public string BundlePem => $"{RootPem}\n{_intermediate.ExportCertificatePem()}\n";

    /// <summary>A client that trusts this root and nothing else, and opens a connection for each request.</summary>
    public HttpClient Client(Uri address, Action<X509Certificate2>? seen = null)
    {
        var handler = new SocketsHttpHandler { UseProxy = false, PooledConnectionLifetime = TimeSpan.Zero };
        handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck, CustomTrustStore = { _root } };
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, errors) =>
        {
            if (certificate is X509Certificate2 leaf)
                seen?.Invoke(leaf);
            return errors == SslPolicyErrors.None;
        };
        return new HttpClient(handler) { BaseAddress = address };
    }

    /// <summary>A certificate for this machine or for a client, followed by the intermediate one and its key.</summary>
    public (string Chain, string Key) Issue(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var leaf = IssueTo(name, key);
        return ($"{leaf.ExportCertificatePem()}\n{_intermediate.ExportCertificatePem()}\n", $"{key.ExportPkcs8PrivateKeyPem()}\n");
    }

    /// <summary>The same in one file with a password.</summary>
    public byte[] IssuePkcs12(string name, string password)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var leaf = IssueTo(name, key);
        using var whole = leaf.CopyWithPrivateKey(key);
        using var intermediate = X509CertificateLoader.LoadCertificate(_intermediate.RawData);
        return new X509Certificate2Collection { whole, intermediate }.Export(X509ContentType.Pkcs12, password)!;
    }

    public void Dispose()
    {
        _root.Dispose();
        _intermediate.Dispose();
    }

    private X509Certificate2 IssueTo(string name, ECDsa key)
    {
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")],
            critical: false));
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        return request.Create(_intermediate, From, Until.AddHours(-1), Serial());
    }

    private static X509Certificate2 Authority(string name, ECDsa key, Func<CertificateRequest, X509Certificate2> sign)
    {
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign,
            critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        return sign(request);
    }

    private static byte[] Serial()
    {
        var serial = RandomNumberGenerator.GetBytes(16);
        serial[0] &= 0x7F;
        return serial;
    }
}
