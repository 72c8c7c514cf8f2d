using TaskQueue.Engine;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace TaskQueue.Api.Hosting;

/// <summary>A certificate with its key and its chain, in files that may be replaced while the server runs: PEM or PKCS #12.</summary>
/// <param name="key">Configuration key of the section, for messages.</param>
/// <param name="settings">Where the files are.</param>
internal sealed class CertificateFile(string key, CertificateSettings settings)
{
    private static ReadOnlySpan<byte> Pem => "-----BEGIN "u8;

    private byte[] _hash = [];
    private bool _isUnreadable;
    private volatile SslStreamCertificateContext? _context;

    public string Path => settings.Path;

    /// <summary>What new connections get.</summary>
    public SslStreamCertificateContext Current => _context ?? throw new InvalidOperationException($"{key} is not loaded");

    /// <summary>Looks at the files; where they changed, what they hold counts from now on.</summary>
    /// <returns>Whether there is another certificate.</returns>
    /// <exception cref="StartupException">They cannot be used; the certificate before stays. Thrown once while nothing changes.</exception>
    public bool Refresh()
    {
        try
        {
            var hash = Hash();
            _isUnreadable = false;
            if (hash.AsSpan().SequenceEqual(_hash))
                return false;
            _hash = hash;
            _context = Load();
            return true;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            if (_isUnreadable)
                return false;
            (_isUnreadable, _hash) = (true, []);
            throw new StartupException($"{key}: cannot read {settings.Path}{(settings.KeyPath is { } path ? $" or {path}" : "")}: "
                + $"{fault.Message}");
        }
        catch (Exception fault) when (fault is CryptographicException or ArgumentException)
        {
            throw new StartupException($"{key}: {settings.Path} cannot be used: {fault.Message.ReplaceLineEndings(" ")} (check Path, "
                + "KeyPath and Password)");
        }
    }

    /// <summary>Of the contents: a mounted secret changes by a link, of which neither events nor times of the files tell.</summary>
    private byte[] Hash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(File.ReadAllBytes(settings.Path));
        if (settings.KeyPath is { } path)
            hash.AppendData(File.ReadAllBytes(path));
        return hash.GetHashAndReset();
    }

    private SslStreamCertificateContext Load()
    {
        var chain = new X509Certificate2Collection();
        X509Certificate2 certificate;
        if (settings.KeyPath is not null || File.ReadAllBytes(settings.Path).AsSpan().IndexOf(Pem) >= 0)
        {
            var keyFile = settings.KeyPath ?? settings.Path;
            certificate = settings.Password is { Length: > 0 } password
                ? X509Certificate2.CreateFromEncryptedPemFile(settings.Path, password, keyFile)
                : X509Certificate2.CreateFromPemFile(settings.Path, keyFile);
            chain.ImportFromPemFile(settings.Path);
        }
        else
        {
            chain = X509CertificateLoader.LoadPkcs12CollectionFromFile(settings.Path, settings.Password);
            certificate = chain.FirstOrDefault(c => c.HasPrivateKey) ?? throw new CryptographicException("it has no private key");
        }

        if (OperatingSystem.IsWindows()) // whose TLS does not take a key that is in memory only
            certificate = X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
        return SslStreamCertificateContext.Create(certificate, chain, offline: true);
    }
}

/// <summary>A section such as <c>Kestrel:Certificates:Default</c>, with Kestrel's own keys.</summary>
/// <param name="Path">PEM or PKCS #12.</param>
/// <param name="KeyPath">The key, in PEM; null where <paramref name="Path"/> has it.</param>
/// <param name="Password">Of the key, or null.</param>
internal sealed record CertificateSettings(string Path, string? KeyPath, string? Password)
{
    /// <summary>Null where the section names no file.</summary>
    public static CertificateSettings? Read(IConfigurationSection section) =>
        section["Path"] is { Length: > 0 } path
            ? new(System.IO.Path.GetFullPath(path), section["KeyPath"] is { Length: > 0 } key ? System.IO.Path.GetFullPath(key)
                : null, section["Password"])
            : null;
}
