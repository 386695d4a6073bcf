/* GARCH(1, 1): q = (mu, log alpha0, logit alpha1, logit (beta1 / (1 - alpha1))). Two recurrences, and between them one
   vectorised pass over all that is not recurrent. */
#include <math.h>

double log_density(const double **data, const double *restrict q, double *restrict g) {
    const double *restrict y = data[0];
    double first = data[1][0], mu = q[0], alpha0 = exp(q[1]);
    double alpha1 = 1 / (1 + exp(-q[2])), share = 1 / (1 + exp(-q[3])), beta1 = (1 - alpha1) * share;
    double variance[T], input[T], adjoint[T], logs = 0, quadratic = 0, d_mu = 0;
    for (int t = 0; t < T; t++) input[t] = alpha0 + alpha1 * (y[t] - mu) * (y[t] - mu);
    double v = first * first;
    for (int t = 0; t < T; t++) {
        variance[t] = v;
        v = input[t] + beta1 * v;
    }
    for (int t = 0; t < T; t++) {
        double r = y[t] - mu, w = 1 / variance[t], scaled = r * r * w;
        logs += log(variance[t]);
        quadratic += scaled;
        d_mu += r * w;
        adjoint[t] = 0.5 * w * (scaled - 1);
    }
    for (int t = T - 2; t > 0; t--) adjoint[t] += beta1 * adjoint[t + 1];
    double d_alpha0 = 0, d_alpha1 = 0, d_beta1 = 0, d_input = 0;
    for (int t = 1; t < T; t++) {
        double r = y[t - 1] - mu;
        d_alpha0 += adjoint[t];
        d_alpha1 += adjoint[t] * r * r;
        d_beta1 += adjoint[t] * variance[t - 1];
        d_input += adjoint[t] * r;
    }
    g[0] = d_mu - 2 * alpha1 * d_input;
    g[1] = d_alpha0 * alpha0 + 1;
    g[2] = (d_alpha1 - d_beta1 * share) * alpha1 * (1 - alpha1) + 1 - 3 * alpha1;
    g[3] = d_beta1 * (1 - alpha1) * share * (1 - share) + 1 - 2 * share;
    return -0.5 * (logs + quadratic) + q[1] + log(alpha1 * share * (1 - share)) + 2 * log1p(-alpha1);
}
