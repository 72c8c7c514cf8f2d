using System.Security.Authentication;
using MassTransit;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

internal static class BrokerHost
{
    /// <summary>Configures the broker connection. Validates certificates itself: MassTransit's default accepts any authority.</summary>
    public static void Host(this IRabbitMqBusFactoryConfigurator bus, Uri address, BrokerTls tls) =>
        bus.Host(address, host =>
        {
            if (address.Scheme != "amqps")
                return;
            host.UseSsl(ssl =>
            {
                ssl.Protocol = SslProtocols.Tls12 | SslProtocols.Tls13;
                ssl.ServerName = tls.ServerName ?? address.Host;
                ssl.CertificateValidationCallback = tls.Accepts;
                ssl.CertificateSelectionCallback = (_, _, _, _, _) => tls.ReadCertificate()!;
                ssl.UseCertificateAsAuthenticationIdentity = tls.IsLogin(address);
            });
        });
}
