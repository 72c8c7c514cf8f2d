using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using TaskQueue.Client.Kubernetes;

namespace TaskQueue.Tests.Servers;

/// <summary>A request to the API server.</summary>
internal sealed record ClusterRequest(string Target, string? ContentType, string? Authorization, string Body);

/// <summary>
/// What a pod sees of Kubernetes: an API server over TLS that records requests, and the folder with the credentials.
/// </summary>
internal sealed class TestCluster : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly string _folder = Directory.CreateTempSubdirectory("taskqueue-account-").FullName;

    private TestCluster(WebApplication app) => _app = app;

    public ConcurrentQueue<ClusterRequest> Requests { get; } = new();

    /// <summary>The response.</summary>
    public int Status { get; set; } = 200;

    public static async Task<TestCluster> StartAsync()
    {
        var certificate = NewCertificate();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, o => o.UseHttps(certificate)));
        var app = builder.Build();
        TestCluster? self = null;
        app.Run(context => self!.AnswerAsync(context));
        await app.StartAsync();
        self = new TestCluster(app);
        self.Trust(certificate);
        self.Rotate("token-1");
        return self;
    }

    /// <summary>The pod <c>worker-1</c> of namespace <c>queues</c>; one variable can be overridden.</summary>
    public OwnPod Pod(params (string Name, string? Value)[] changed)
    {
        var variables = new Dictionary<string, string?>
        {
            ["KUBERNETES_SERVICE_HOST"] = "127.0.0.1",
            ["KUBERNETES_SERVICE_PORT"] = $"{new Uri(_app.Urls.First()).Port}",
            ["POD_NAME"] = "worker-1",
            ["POD_NAMESPACE"] = "queues",
        };
        foreach (var (name, value) in changed)
            variables[name] = value;
        return new OwnPod(variables.GetValueOrDefault, _folder);
    }

    /// <summary>Another token from now on.</summary>
    public void Rotate(string token) => File.WriteAllText(Path.Combine(_folder, "token"), $"{token}\n");

    /// <summary>Another CA from now on; the server's own certificate if none is given.</summary>
    public void Trust(X509Certificate2 certificate) =>
        File.WriteAllText(Path.Combine(_folder, "ca.crt"), certificate.ExportCertificatePem());

    public static X509Certificate2 NewCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=kubernetes", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false,
            pathLengthConstraint: 0, critical: true));
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pfx), password: null);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task AnswerAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync();
        Requests.Enqueue(new($"{context.Request.Method} {context.Request.Path}{context.Request.QueryString}", context.Request.ContentType,
            context.Request.Headers.Authorization, body));
        context.Response.StatusCode = Status;
        await context.Response.WriteAsJsonAsync(new { kind = "Pod" });
    }
}
