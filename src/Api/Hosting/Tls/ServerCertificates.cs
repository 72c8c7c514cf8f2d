using System.Security.Authentication;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using TaskQueue.Engine;

namespace TaskQueue.Api.Hosting;

/// <summary>
/// Server certificates: <c>Kestrel:Certificates:Default</c>, and those configured per endpoint in <c>Kestrel:Endpoints</c>.
/// </summary>
internal sealed class ServerCertificates
{
    private const string DefaultKey = "Kestrel:Certificates:Default";
    private const SslProtocols Protocols = SslProtocols.Tls12 | SslProtocols.Tls13;

    private readonly CertificateFile? _default;
    private readonly Dictionary<string, CertificateFile> _ofEndpoints = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Loads the certificates if any address is https.</summary>
    /// <exception cref="StartupException">A certificate is missing or invalid.</exception>
    public ServerCertificates(IReadOnlyList<ListenAddress> addresses, IConfiguration configuration)
    {
        if (!addresses.Any(a => a.IsHttps))
            return;
        DemandProtocols(configuration);
        _default = Open(configuration.GetSection(DefaultKey));
        foreach (var address in addresses.Where(a => a.IsHttps))
        {
            if (address.Endpoint is { } endpoint && Open(configuration.GetSection($"Kestrel:Endpoints:{endpoint}:Certificate")) is { } own)
                _ofEndpoints[endpoint] = own;
            else if (_default is null)
                throw new StartupException($"{address.Key}: '{address.Url}' needs a certificate; set {DefaultKey}:Path (PEM or PKCS #12), "
                    + "and :KeyPath and :Password where they are needed.");
        }
    }

    public IEnumerable<CertificateFile> All => _default is null ? _ofEndpoints.Values : _ofEndpoints.Values.Prepend(_default);

    /// <summary>Makes Kestrel query the current certificate for each connection.</summary>
    public void Configure(KestrelServerOptions kestrel, IConfiguration configuration)
    {
        kestrel.ConfigureHttpsDefaults(https =>
        {
            https.SslProtocols = Protocols;
            if (_default is { } file)
                Use(https, file);
        });
        // Not reloaded: ListenAddresses would not check endpoints added later.
        var loader = kestrel.Configure(configuration.GetSection("Kestrel"), reloadOnChange: false);
        foreach (var (name, file) in _ofEndpoints)
            loader.Endpoint(name, endpoint => Use(endpoint.HttpsOptions, file));
    }

    private static void Use(HttpsConnectionAdapterOptions https, CertificateFile file)
    {
        https.ServerCertificateSelector = (_, _) => file.Current.TargetCertificate; // required by Kestrel; the context adds the chain
        https.OnAuthenticate = (_, options) =>
            (options.ServerCertificateSelectionCallback, options.ServerCertificateContext) = (null, file.Current);
    }

    private static CertificateFile? Open(IConfigurationSection section)
    {
        if (CertificateSettings.Read(section) is not { } settings)
            return null;
        var file = new CertificateFile(section.Path, settings);
        file.Refresh();
        return file;
    }

    /// <summary>RFC 9325, 3.1.1: nothing below TLS 1.2.</summary>
    private static void DemandProtocols(IConfiguration configuration)
    {
        var sections = configuration.GetSection("Kestrel:Endpoints").GetChildren()
            .Append(configuration.GetSection("Kestrel:EndpointDefaults"));
        foreach (var entry in sections.SelectMany(s => s.GetSection("SslProtocols").GetChildren()))
        {
            if (!Enum.TryParse<SslProtocols>(entry.Value, ignoreCase: true, out var protocol) || (protocol | Protocols) != Protocols
                || protocol == SslProtocols.None)
                throw new StartupException($"{entry.Path} is '{entry.Value}'; it must be Tls12 or Tls13.");
        }
    }
}
